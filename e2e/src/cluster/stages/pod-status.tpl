{{- /* The status of a pod in the stage's $mode, from its spec, its annotations and its status so far. */ -}}
{{- $pod := . -}}
{{- $now := Now -}}
{{- $a := default (dict) .metadata.annotations -}}
{{- $only := get $a "e2e.local/container" -}}
{{- $oom := eq (get $a "e2e.local/oom") "true" -}}
{{- $code := ternary 137 (int (default "0" (get $a "e2e.local/exit-code"))) $oom -}}
{{- $policy := default "Always" .spec.restartPolicy -}}
{{- $old := dict -}}
{{- range concat (default (list) .status.containerStatuses) (default (list) .status.initContainerStatuses) -}}
  {{- $_ := set $old .name . -}}
{{- end -}}
{{- /* Containers first: native sidecars end when the last of them has ended for good. */ -}}
{{- $statuses := dict "main" (list) "init" (list) -}}
{{- $unready := list -}}
{{- $failed := false -}}
{{- $over := has $mode (list "exit" "stop" "complete") -}}
{{- range $kind := list "main" "init" -}}
  {{- $items := ternary $pod.spec.containers (default (list) $pod.spec.initContainers) (eq $kind "main") -}}
  {{- range $item := $items -}}
    {{- $was := default (dict) (get $old $item.name) -}}
    {{- $state := default (dict) $was.state -}}
    {{- $last := default (dict) $was.lastState -}}
    {{- $restarts := int (toString (default 0 $was.restartCount)) -}}
    {{- $ready := default false $was.ready -}}
    {{- $sidecar := and (eq $kind "init") (eq (default "" $item.restartPolicy) "Always") -}}
    {{- $hit := ternary (eq $kind "main") (eq $only $item.name) (eq $only "") -}}
    {{- $running := hasKey $state "running" -}}
    {{- /* A main container's own policy and rules go before the pod's policy. */ -}}
    {{- $ended := ternary (int (toString (default (dict) $state.terminated).exitCode)) $code (hasKey $state "terminated") -}}
    {{- $own := default $policy $item.restartPolicy -}}
    {{- $again := or (eq $own "Always") (and (eq $own "OnFailure") (ne $ended 0)) -}}
    {{- range default (list) $item.restartPolicyRules -}}
      {{- $listed := false -}}
      {{- range .exitCodes.values -}}{{- if eq (int (toString .)) $ended -}}{{- $listed = true -}}{{- end -}}{{- end -}}
      {{- if eq $listed (eq .exitCodes.operator "In") -}}{{- $again = true -}}{{- end -}}
    {{- end -}}
    {{- $stays := and (eq $kind "main") (hasKey $state "terminated") (not $again) -}}
    {{- if $stays -}}
    {{- else if and (eq $kind "init") (not $sidecar) -}}
      {{- if eq $mode "creating" -}}
        {{- $state = dict "waiting" (dict "reason" "PodInitializing") -}}
      {{- else if not (hasKey $state "terminated") -}}
        {{- $state = dict "terminated" (dict "exitCode" 0 "reason" "Completed" "startedAt" $now "finishedAt" $now) -}}
        {{- $ready = true -}}
      {{- end -}}
    {{- else if and (eq $mode "creating") (not $running) -}}
      {{- $state = dict "waiting" (dict "reason" "ContainerCreating") -}}
    {{- else if and $hit (eq $mode "pull-error") -}}
      {{- $text := get $a "e2e.local/image-pull-error" -}}
      {{- if eq $text "true" -}}
        {{- $text = printf "failed to pull and unpack image %q: failed to resolve reference %q: not found" $item.image $item.image -}}
      {{- end -}}
      {{- $state = dict "waiting" (dict "reason" "ErrImagePull" "message" $text) -}}
    {{- else if and $hit (eq $mode "pull-backoff") -}}
      {{- $text := printf "Back-off pulling image %q: ErrImagePull: %s" $item.image (default "" (default (dict) $state.waiting).message) -}}
      {{- $state = dict "waiting" (dict "reason" "ImagePullBackOff" "message" $text) -}}
    {{- else if and $hit (eq $mode "config-error") -}}
      {{- $state = dict "waiting" (dict "reason" "CreateContainerConfigError" "message" (get $a "e2e.local/config-error")) -}}
    {{- else if and $hit (eq $mode "start-error") -}}
      {{- /* A process that never was has no time of its start. The kubelet says that it waits, and what was. */ -}}
      {{- $text := get $a "e2e.local/start-error" -}}
      {{- $last = dict "terminated" (dict "exitCode" 128 "reason" "StartError" "message" $text "startedAt" "1970-01-01T00:00:00Z" "finishedAt" $now) -}}
      {{- $state = dict "waiting" (dict "reason" "RunContainerError" "message" $text) -}}
    {{- else if and $hit $running (eq $mode "exit") -}}
      {{- $reason := ternary "Completed" (ternary "OOMKilled" "Error" $oom) (eq $code 0) -}}
      {{- $state = dict "terminated" (dict "exitCode" $code "reason" $reason "startedAt" $state.running.startedAt "finishedAt" $now) -}}
      {{- $ready = false -}}
    {{- else if and (eq $mode "backoff") (hasKey $state "terminated") (eq $kind "main") -}}
      {{- $last = $state -}}
      {{- $wait := index (list "10s" "20s" "40s" "1m20s" "2m40s" "5m0s") (min (sub $restarts 1) 5 | int) -}}
      {{- $text := printf "back-off %s restarting failed container=%s pod=%s_%s(%s)" $wait $item.name $pod.metadata.name $pod.metadata.namespace $pod.metadata.uid -}}
      {{- $state = dict "waiting" (dict "reason" "CrashLoopBackOff" "message" $text) -}}
    {{- else if and $running (eq $mode "stop") -}}
      {{- $state = dict "terminated" (dict "exitCode" 143 "reason" "Error" "startedAt" $state.running.startedAt "finishedAt" $now) -}}
      {{- $ready = false -}}
    {{- else if and $running (or (eq $mode "complete") (and $sidecar $over)) -}}
      {{- $state = dict "terminated" (dict "exitCode" 0 "reason" "Completed" "startedAt" $state.running.startedAt "finishedAt" $now) -}}
      {{- $ready = false -}}
    {{- else if and (has $mode (list "run" "restart" "pull-error" "pull-backoff" "config-error" "start-error")) (not $running) -}}
      {{- if eq $mode "restart" -}}
        {{- $restarts = add1 $restarts -}}
        {{- if hasKey $state "terminated" -}}{{- $last = $state -}}{{- end -}}
      {{- end -}}
      {{- $state = dict "running" (dict "startedAt" $now) -}}
      {{- $ready = true -}}
    {{- end -}}
    {{- $running = hasKey $state "running" -}}
    {{- if and $running $hit -}}
      {{- if or (eq $mode "unready") (eq (get $a "e2e.local/unready") "true") -}}
        {{- $ready = false -}}
      {{- else if or (eq $mode "restart") (not (hasKey $a "e2e.local/unready-after")) -}}
        {{- $ready = true -}}
      {{- end -}}
    {{- end -}}
    {{- if not (or $running (and (eq $kind "init") (not $sidecar))) -}}{{- $ready = false -}}{{- end -}}
    {{- if and (eq $kind "main") (hasKey $state "terminated") -}}
      {{- if ne (int (toString $state.terminated.exitCode)) 0 -}}{{- $failed = true -}}{{- end -}}
      {{- if and (eq $mode "exit") $again -}}{{- $over = false -}}{{- end -}}
    {{- else if eq $kind "main" -}}
      {{- if eq $mode "exit" -}}{{- $over = false -}}{{- end -}}
      {{- if eq $mode "stop" -}}{{- $failed = true -}}{{- end -}}
    {{- end -}}
    {{- if not $ready -}}{{- $unready = append $unready $item.name -}}{{- end -}}
    {{- $status := dict "name" $item.name "image" $item.image "imageID" "" "ready" $ready "started" $running "restartCount" $restarts "state" $state "lastState" $last -}}
    {{- if or $running (hasKey $state "terminated") -}}
      {{- $_ := set $status "imageID" $item.image -}}
      {{- $_ := set $status "containerID" (printf "kwok://%s" (sha256sum (printf "%s/%s/%d" $pod.metadata.uid $item.name $restarts))) -}}
    {{- end -}}
    {{- $_ := set $statuses $kind (append (get $statuses $kind) $status) -}}
  {{- end -}}
{{- end -}}
{{- $phase := "Running" -}}
{{- if has $mode (list "creating" "pull-error" "pull-backoff" "config-error") -}}{{- $phase = "Pending" -}}
{{- else if $over -}}{{- $phase = ternary "Failed" "Succeeded" $failed -}}{{- end -}}
{{- /* Conditions keep their transition time while their status stays. */ -}}
{{- $before := dict -}}
{{- range default (list) .status.conditions -}}{{- $_ := set $before .type . -}}{{- end -}}
{{- $gate := "" -}}
{{- range default (list) .spec.readinessGates -}}
  {{- if ne (default "" (default (dict) (get $before .conditionType)).status) "True" -}}{{- $gate = .conditionType -}}{{- end -}}
{{- end -}}
{{- $reason := "" -}}{{- $message := "" -}}
{{- if eq $phase "Succeeded" -}}{{- $reason = "PodCompleted" -}}
{{- else if eq $phase "Failed" -}}{{- $reason = "PodFailed" -}}
{{- else if $unready -}}{{- $reason = "ContainersNotReady" -}}{{- $message = printf "containers with unready status: [%s]" (join " " $unready) -}}{{- end -}}
{{- $containersReady := not $reason -}}
{{- $podReason := $reason -}}{{- $podMessage := $message -}}
{{- if and $containersReady $gate -}}
  {{- $podReason = "ReadinessGatesNotReady" -}}{{- $podMessage = printf "corresponding condition of pod readiness gate %q does not exist or is not True." $gate -}}
{{- end -}}
{{- $initialized := or (ne $mode "creating") (not .spec.initContainers) -}}
{{- $conditions := list -}}
{{- range list (list "PodReadyToStartContainers" (ne $mode "creating") "" "") (list "Initialized" $initialized (ternary "" "ContainersNotInitialized" $initialized) "") (list "ContainersReady" $containersReady $reason $message) (list "Ready" (not $podReason) $podReason $podMessage) -}}
  {{- $status := ternary "True" "False" (index . 1) -}}
  {{- $was := default (dict) (get $before (index . 0)) -}}
  {{- $since := ternary (default $now $was.lastTransitionTime) $now (eq (default "" $was.status) $status) -}}
  {{- $conditions = append $conditions (dict "type" (index . 0) "status" $status "reason" (index . 2) "message" (index . 3) "lastTransitionTime" $since) -}}
{{- end -}}
{{- $result := dict "phase" $phase "conditions" $conditions "containerStatuses" (get $statuses "main") "startTime" (default $now .status.startTime) -}}
{{- if .spec.initContainers -}}{{- $_ := set $result "initContainerStatuses" (get $statuses "init") -}}{{- end -}}
{{- if not .status.podIP -}}
  {{- $ip := PodIPWith .spec.nodeName (default false .spec.hostNetwork) .metadata.uid .metadata.name .metadata.namespace -}}
  {{- $host := NodeIPWith .spec.nodeName -}}
  {{- $_ := set $result "podIP" $ip -}}
  {{- $_ := set $result "podIPs" (list (dict "ip" $ip)) -}}
  {{- $_ := set $result "hostIP" $host -}}
  {{- $_ := set $result "hostIPs" (list (dict "ip" $host)) -}}
{{- end -}}
{{- toJson $result -}}
