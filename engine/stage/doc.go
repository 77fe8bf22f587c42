// Package stage is the contract between the engine and the types of inputs, stages, publish targets and notifiers.
//
// A Type describes: its schema, its revision, how a configuration becomes a Runner. It holds no state. A Runner is one
// configured node and works: it reads its Inputs, writes files below its Output's directory, says which of them is the
// table, and returns. The life of a node is this: the engine decodes the configuration (pure), observes it if the runner
// is an Observer (while planning), runs it in an empty scratch directory (while applying), takes the files into the
// store, checks the expectations, materialises, and commits the entry. A runner does no more than its Env allows.
//
// A new type is one file and one line in stages.All():
//
//	type config struct {
//		Source *stage.Handle `cty:"source"`
//		Scale  float64       `cty:"scale"`
//	}
//
//	func Type() stage.Type {
//		return &stage.Def[config]{
//			Of: addr.Stage, Label: "scale", Rev: 1,
//			Spec: stage.Schema{
//				Doc: "Multiplies every price.",
//				Attrs: []stage.Attr{
//					{Name: "source", Type: stage.HandleType, Required: true, Doc: "The bars to scale."},
//					{Name: "scale", Type: cty.Number, Default: cty.NumberIntVal(1), Doc: "The factor."},
//				},
//			},
//			New: func(c config) (stage.Runner, error) { return &runner{c}, nil },
//		}
//	}
//
// An input is found in Inputs under its label: the attribute's name ("source"), or for a collection the name with its
// key ("evidence[0]", `bars["2025-01"]`); the attribute "inputs" is left out of labels (inputs = { bars = … } gives
// "bars").
//
// The package refuses to know about files of plans, graphs, stores and state.
package stage
