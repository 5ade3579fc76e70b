#!/bin/sh
# PID 1 of a node. It has its own network, mounts and processes; when it dies, the kernel ends everything in the node.
# Arguments: the cluster's folder, the node's folder, its name, its address, the addresses of all pods, its cgroup, kubelet,
# kube-proxy.
set -eu
cluster=$1 node=$2 name=$3 address=$4 pods=$5 cgroup=$6 kubelet=$7 proxy=$8
# Paths of sockets end at 107 bytes, however deep the cluster's folder is: programs that make sockets know it by this name.
short=/run/cluster/${node##*/}
export PATH="$PATH:/usr/sbin:/sbin" TMPDIR="$short/tmp"

# All programs of the node are in groups of the cluster; when these are empty, the node has ended.
for group in /sys/fs/cgroup"$cgroup"/programs /sys/fs/cgroup/*"$cgroup"/programs; do
    if [ -d "$group" ]; then echo 0 >"$group/cgroup.procs"; fi
done

# What programs write outside of the cluster's folder stays in the node: /run is new, what is written to /var lands below
# the node's folder, and the rest of the machine's root cannot be written at all. A folder below /var cannot be a layer over it:
# then it lands in memory.
mount --bind "$cluster" "$cluster"
mount -t tmpfs tmpfs /run
mkdir /run/cluster
mount --bind "$cluster" /run/cluster
case $node in
/var/*) layer=/run/var && mkdir -p "$layer/upper" "$layer/work" ;;
*) layer=$node/var ;;
esac
mount -t overlay overlay -o "lowerdir=/var,upperdir=$layer/upper,workdir=$layer/work" /var
# Below /var it has just been covered.
mount --bind /run/cluster "$cluster"
mount -o remount,bind,ro /

# Names are not resolved, so that pulling an image fails at once.
if [ -e /etc/resolv.conf ]; then mount --bind "$node/resolv.conf" /etc/resolv.conf; fi

# kubelet sets these for the whole machine: it gets plain files instead.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=$node/settings/$(echo "${setting%=*}" | tr / .)
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
done

# The link to the other nodes is made from outside.
until [ -e "$node/network" ]; do sleep 0.05; done
# Of this network namespace only.
echo 1 >/proc/sys/net/ipv4/ip_forward
for file in /proc/sys/net/bridge/bridge-nf-call-iptables /proc/sys/net/bridge/bridge-nf-call-ip6tables; do
    if [ -e "$file" ]; then echo 1 >"$file"; fi
done

run() {
    program=$1
    shift
    "$@" >>"$node/log/$program.log" 2>&1 &
}
run containerd containerd --config "$node/containerd.toml"
tries=0
until ctr version >/dev/null 2>&1; do
    tries=$((tries + 1))
    if [ "$tries" -gt 200 ]; then echo "containerd does not answer" >&2 && exit 1; fi
    sleep 0.1
done
for archive in "$cluster"/images/*.tar; do ctr --namespace k8s.io images import "$archive"; done
# As a service manager does: one that ends is started again.
again() {
    program=$1
    shift
    while true; do
        "$@" >>"$node/log/$program.log" 2>&1 || true
        sleep 1
    done &
}
again kubelet "$kubelet" --config "$node/kubelet.yaml" --kubeconfig "$node/kubeconfig" --root-dir "$short/kubelet" \
    --cert-dir "$node/kubelet/pki" --hostname-override "$name" --node-ip "$address"
# Limits of connection tracking belong to the machine and stay as they are.
run kube-proxy "$proxy" --kubeconfig "$cluster/kube-proxy.kubeconfig" --hostname-override "$name" --cluster-cidr "$pods" \
    --proxy-mode iptables --oom-score-adj=0 --conntrack-max-per-core=0 --conntrack-min=0 \
    --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 \
    --healthz-bind-address 127.0.0.1:10256 --metrics-bind-address 127.0.0.1:10249
# Reaps whatever becomes a child of PID 1.
wait
