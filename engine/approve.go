package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"pipe/engine/approval"
	"pipe/engine/plan"
	"pipe/engine/state"
)

// ErrRefused says that a policy, a missing approval or a budget forbids what was asked for.
var ErrRefused = errors.New("refused")

// Approval says what is signed when p is approved.
func Approval(p *plan.Plan) approval.Subject {
	return approval.Subject{Plan: p.Digest(), Pipeline: p.Pipeline, Environment: p.Environment, Author: p.Author}
}

// Approve adds the approval of a private key to signed.
func (e *Engine) Approve(ctx context.Context, p *plan.Plan, signed []byte, private string) ([]byte, approval.Approved, error) {
	store, err := e.StateStore(p.Settings, p.Pipeline)
	if err != nil {
		return nil, approval.Approved{}, err
	}
	snap, err := store.Read(ctx)
	if err != nil {
		return nil, approval.Approved{}, err
	}
	list, err := policies(p, snap)
	if err != nil {
		return nil, approval.Approved{}, err
	}
	if len(list) == 0 {
		return nil, approval.Approved{}, fmt.Errorf("%w: the plan needs no approval, because its pipe block has no approval block", ErrRefused)
	}
	var refused *approval.RefusedError
	for _, policy := range list {
		out, by, err := policy.Sign(Approval(p), signed, private, e.Now())
		if !errors.As(err, &refused) {
			return out, by, err
		}
	}
	return nil, approval.Approved{}, fmt.Errorf("%w: the approval would not count: %s", ErrRefused, refused.Problems[0])
}

// approved holds the approvals against the policy of the plan and against the one that the state was last applied with, so
// that nobody gets rid of a policy without the approvals that it asks for.
func (e *Engine) approved(p *plan.Plan, snap *state.Snapshot, o ApplyOptions) ([]approval.Approved, error) {
	if !p.HasChanges() && !o.Saved {
		return nil, nil
	}
	policies, err := policies(p, snap)
	if err != nil {
		return nil, err
	}
	var approved []approval.Approved
	for _, policy := range policies {
		if !o.Saved {
			return nil, fmt.Errorf("%w: the plan needs %d approvals of others: save it with plan --out, have it approved, and apply the file", ErrRefused, policy.Required)
		}
		list, err := policy.Verify(Approval(p), o.Approvals, e.Now())
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if approved == nil {
			approved = list
		}
	}
	return approved, nil
}

func policies(p *plan.Plan, snap *state.Snapshot) ([]approval.Policy, error) {
	var list []approval.Policy
	if p.Settings.Approval != nil {
		list = append(list, *p.Settings.Approval)
	}
	if len(snap.Approval) > 0 {
		var last approval.Policy
		if err := json.Unmarshal(snap.Approval, &last); err != nil {
			return nil, fmt.Errorf("the approval policy in the state cannot be read: %w", err)
		}
		list = append(list, last)
	}
	return list, nil
}
