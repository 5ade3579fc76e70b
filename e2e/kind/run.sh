#!/usr/bin/env bash
# The scenarios on kind instead of the local control plane. Needs kind and a container engine.
#
#   e2e/kind/run.sh            create the cluster if need be, load the operator's image, run the scenarios
#   e2e/kind/run.sh --delete   delete the cluster
#
# CLUSTER names the cluster (default: ecs-operator).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cluster=${CLUSTER:-ecs-operator}

command -v kind >/dev/null || {
  echo "kind is not on PATH: install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation)" >&2
  exit 1
}

if [[ ${1:-} == --delete ]]; then
  exec kind delete cluster --name "$cluster"
fi

cd "$root"
kubeconfig=$root/target/kind-$cluster.kubeconfig
archive=$root/target/ecs-operator-kind.tar

mkdir -p "$root/target"
cargo xtask image --output "$archive"
if ! kind get clusters | grep -qx "$cluster"; then
  kind create cluster --name "$cluster" --config "$root/e2e/kind/cluster.yaml" --kubeconfig "$kubeconfig" --wait 120s
fi
kind export kubeconfig --name "$cluster" --kubeconfig "$kubeconfig"
kind load image-archive "$archive" --name "$cluster"

# The operator runs in the cluster, from that image. Every scenario has `when` in its name.
E2E_KUBECONFIG=$kubeconfig cargo xtask test --inside --only when
echo "The cluster stays: export KUBECONFIG=$kubeconfig"
