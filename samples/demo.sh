#!/usr/bin/env bash
# Runs the sample pipeline end to end in ./demo, with no server and no network, and shows what it made.
set -euo pipefail
pipe=$1
root=$(cd "$(dirname "$0")/.." && pwd)
demo="$root/demo"
plan=plans/sample

rm -rf "$demo"
mkdir -p "$demo/samples"
cp -r "$root/plans" "$root/configs" "$demo/"
cp -r "$root/samples/data" "$demo/samples/"
cd "$demo"
unset POSTGRES_URL REDIS_URL SLACK_WEBHOOK_URL PAGERDUTY_ROUTING_KEY SERVICE_ENV

title() { printf '\n\033[1m=== %s\033[0m\n\n' "$*"; }
show() { printf '\033[2m$ pipe %s\033[0m\n' "$*"; "$pipe" "$@"; }
ends() { # CODE command...: the command must end with this exit code
    local want=$1 got=0
    shift
    show "$@" || got=$?
    printf '\033[2m(exit code %s)\033[0m\n' "$got"
    [ "$got" = "$want" ] || { echo "demo: exit code $got, expected $want" >&2; exit 1; }
}

title "1. The plan: what would run, and why"
show plan $plan

title "2. Apply: bars -> features -> models -> backtest -> published version"
show apply $plan --auto-approve

title "3. Plan again: nothing to do"
ends 0 plan $plan --detailed-exitcode

title "4. Edit one attribute (AI1's epochs, 200 -> 150): training and what is below it, not the features"
sed -i 's/^ai1_params: {learning_rate: 0.1, epochs: 200/ai1_params: {learning_rate: 0.1, epochs: 150/' configs/base/training.yaml
ends 2 plan $plan --detailed-exitcode

title "5. Bad data: a bar whose volume is out of range. Its stage is rejected, and nothing below it is trained or published"
cp samples/data/sample_canonical.json good.json
sed -i 's/"volume": 1200/"volume": 120000/' samples/data/sample_canonical.json
cmp -s good.json samples/data/sample_canonical.json && { echo "demo: the sample did not change" >&2; exit 1; }
ends 3 apply $plan --auto-approve

title "6. The data is mended and the edit undone: everything is in the store, so nothing runs"
mv good.json samples/data/sample_canonical.json
sed -i 's/^ai1_params: {learning_rate: 0.1, epochs: 150/ai1_params: {learning_rate: 0.1, epochs: 200/' configs/base/training.yaml
show apply $plan --auto-approve

title "7. What was published, and its audit trail"
version=$(ls storage/models)
echo "models_root/$version:"
(cd "storage/models/$version" && ls -l && sha256sum -c SHA256SUMS)
echo
echo "WORM record:"
find storage/worm -type f -name '*.json' -exec ls -l {} \;
echo
show audit list $plan
show audit verify $plan
echo
echo "All of this lies in $demo. Look around: cd demo && ../bin/pipe show $plan; ../bin/pipe why stage.model $plan"
