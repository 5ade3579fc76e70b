{{- define "ecs-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if contains $name .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* Name of cluster-scoped objects: two releases in two namespaces must not meet. */}}
{{- define "ecs-operator.clusterName" -}}
{{ printf "%s:%s" .Release.Namespace (include "ecs-operator.fullname" .) }}
{{- end }}

{{/* The same for kinds whose names are DNS subdomains. */}}
{{- define "ecs-operator.clusterDnsName" -}}
{{ printf "%s.%s" (include "ecs-operator.fullname" .) .Release.Namespace }}
{{- end }}

{{- define "ecs-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "ecs-operator.fullname" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end }}

{{- define "ecs-operator.selectorLabels" -}}
app.kubernetes.io/name: ecs-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ecs-operator.labels" -}}
{{ include "ecs-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: ecs-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* Not the operator's own labels: its Service, budget and policy must not take the scheduler for the operator. */}}
{{- define "ecs-operator.schedulerSelectorLabels" -}}
app.kubernetes.io/name: ecs-operator-scheduler
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ecs-operator.schedulerLabels" -}}
{{ include "ecs-operator.schedulerSelectorLabels" . }}
app.kubernetes.io/part-of: ecs-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* Nor for what runs when the chart is uninstalled. */}}
{{- define "ecs-operator.uninstallLabels" -}}
app.kubernetes.io/name: ecs-operator-uninstall
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: ecs-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- end }}

{{/* What is made after the operator is deleted, in the order of its weight, and goes when it is done. */}}
{{- define "ecs-operator.uninstallHook" -}}
helm.sh/hook: post-delete
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* A scheduler belongs to one minor version of Kubernetes: without a tag it is the version of the API server, less what a distribution adds to it (v1.36.3-eks-0a1b2c3 is v1.36.3). */}}
{{- define "ecs-operator.schedulerImage" -}}
{{- $version := regexFind "^v[0-9]+\\.[0-9]+\\.[0-9]+" .Capabilities.KubeVersion.Version -}}
{{- with .Values.scheduler.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (.tag | default $version) }}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "ecs-operator.image" -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{/* Rules on namespaced kinds, exactly what the operator calls. The only rule on secrets is for one by its name, and only if asked for. */}}
{{- define "ecs-operator.namespacedRules" -}}
# What users write is read, never written, but for the finalizer of a cluster.
- apiGroups: [ecs-operator.dev]
  resources: [ecsclusters]
  verbs: [get, list, watch, patch]
- apiGroups: [ecs-operator.dev]
  resources: [ecstaskdefinitions, ecsservices, ecsscalabletargets]
  verbs: [get, list, watch]
# What the operator writes: once, as both are immutable. Revisions go with their task definition, or when nothing uses
# them and there are more than their family keeps.
- apiGroups: [ecs-operator.dev]
  resources: [ecstaskdefinitionrevisions]
  verbs: [get, list, watch, create, delete]
- apiGroups: [ecs-operator.dev]
  resources: [ecsservicedeployments]
  verbs: [get, list, watch, create, delete]
- apiGroups: [ecs-operator.dev]
  resources:
    - ecsclusters/status
    - ecstaskdefinitions/status
    - ecstaskdefinitionrevisions/status
    - ecsservices/status
    - ecsservicedeployments/status
    - ecsscalabletargets/status
  verbs: [patch]
# Owner references with blockOwnerDeletion, where the API server checks them (OwnerReferencesPermissionEnforcement).
- apiGroups: [ecs-operator.dev]
  resources:
    - ecsclusters/finalizers
    - ecstaskdefinitions/finalizers
    - ecsservices/finalizers
    - ecsscalabletargets/finalizers
  verbs: [update]
# Children.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [apps]
  resources: [daemonsets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch, delete]
# Shared by services; the garbage collector removes them after their last owner.
- apiGroups: [""]
  resources: [serviceaccounts, persistentvolumeclaims, configmaps]
  verbs: [get, list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch, create, patch, delete]
# Tasks. The operator stops those that failed, and marks those that go first when there are to be fewer.
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
{{- if .Values.imageResolution.pullSecrets }}
# The Secrets that tasks pull with, to ask registries with them. One at a time, by name.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
{{- end }}
{{ include "ecs-operator.integrationNamespacedRules" . | trim }}
{{ include "ecs-operator.eventRules" . }}
{{- end }}

{{- define "ecs-operator.eventRules" -}}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* Rules on kinds without a namespace. */}}
{{- define "ecs-operator.clusterRules" -}}
- apiGroups: [ecs-operator.dev]
  resources: [ecscapacityproviders]
  verbs: [get, list, watch, patch]
- apiGroups: [ecs-operator.dev]
  resources: [ecscapacityproviders/status]
  verbs: [patch]
- apiGroups: [ecs-operator.dev]
  resources: [ecscapacityproviders/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  verbs: [get, list, watch]
# One label: daemons leave a drained node last.
- apiGroups: [""]
  resources: [nodes]
  verbs: [get, list, watch, patch]
- apiGroups: [""]
  resources: [persistentvolumes]
  verbs: [get, list, watch, create, delete]
# Named by namespace and content, and removed when nothing of the namespace makes volumes of them.
- apiGroups: [storage.k8s.io]
  resources: [storageclasses]
  verbs: [get, list, watch, create, delete]
{{ include "ecs-operator.integrationClusterRules" . | trim }}
{{- end }}

{{/* Policies of an operator that works in some namespaces say nothing about the others. */}}
{{- define "ecs-operator.admissionNamespaces" -}}
{{- with .Values.watch.namespaces -}}
matchResources:
  namespaceSelector:
    matchExpressions:
      - key: kubernetes.io/metadata.name
        operator: In
        values:
          {{- toYaml . | nindent 10 }}
{{- end -}}
{{- end }}
