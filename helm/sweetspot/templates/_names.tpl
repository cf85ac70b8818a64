{{/* How objects are called and found. One name in three spellings: model `thread_pool`, DNS `thread-pool`, object `<release>-thread-pool`. */}}

{{- define "sweetspot.dns" -}}
{{ . | replace "_" "-" }}
{{- end }}

{{/* (root): what the names of all objects begin with: the release, and nameOverride where there is one. */}}
{{- define "sweetspot.fullname" -}}
{{- $release := .Release.Name }}
{{- .Values.fullnameOverride | default (.Values.nameOverride | empty | ternary $release (printf "%s-%s" $release .Values.nameOverride)) }}
{{- end }}

{{/* (root, part): the longest that is derived from it ends in -headless, and a Service's name has 63 characters. */}}
{{- define "sweetspot.name" -}}
{{- $first := include "sweetspot.fullname" (index . 0) }}
{{- $name := printf "%s-%s" $first (include "sweetspot.dns" (index . 1)) }}
{{- if gt (len $name) 54 }}
{{- fail (printf "the name %q is too long: with it %q has more than 54 characters; take a shorter one, or set fullnameOverride" $first $name) }}
{{- end }}
{{- if not (regexMatch "^[a-z]" $name) }}
{{- fail (printf "the name %q does not begin with a letter, and a Service's name has to (RFC 1035); take another one, or set fullnameOverride" $first) }}
{{- end }}
{{- $name }}
{{- end }}

{{/* (root, component, model): what selects pods, of all models where none is named; never changes. */}}
{{- define "sweetspot.selector" -}}
app.kubernetes.io/name: sweetspot
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- if gt (len .) 2 }}
sweetspot.dev/model: {{ index . 2 }}
{{- end }}
{{- end }}

{{/* (root, component, model): what every object has. The chart's own labels win over commonLabels. */}}
{{- define "sweetspot.labels" -}}
{{- $chart := (index . 0).Chart }}
{{- $version := dict "app.kubernetes.io/version" $chart.AppVersion "app.kubernetes.io/managed-by" (index . 0).Release.Service "helm.sh/chart" (printf "%s-%s" $chart.Name $chart.Version) }}
{{- merge (include "sweetspot.selector" . | fromYaml) $version (index . 0).Values.commonLabels | toYaml }}
{{- end }}

{{/* (root, part): registry/sweetspot/thread-pool:tag, or with @ and its digest. */}}
{{- define "sweetspot.image" -}}
{{- $image := (index . 0).Values.image }}{{ $name := include "sweetspot.dns" (index . 1) }}
{{- with include "sweetspot.registry" (index . 0) }}{{ . }}/{{ end }}{{ $image.repository }}/{{ $name }}
{{- get $image.digests $name | empty | ternary ":" "@" }}{{ include "sweetspot.version" . }}
{{- end }}

{{/* (root, part): the digest of its image, or else its tag. */}}
{{- define "sweetspot.version" -}}
{{- $image := (index . 0).Values.image }}
{{- get $image.digests (include "sweetspot.dns" (index . 1)) | default $image.tag | default (index . 0).Chart.AppVersion }}
{{- end }}

{{/* (root): where images are pulled from; the registry of a chart that has this one wins. */}}
{{- define "sweetspot.registry" -}}
{{- dig "imageRegistry" "" .Values.global | default .Values.image.registry }}
{{- end }}

{{/*
(root, deployment, part): OpenTelemetry's resource attributes of a pod; names in $() are the container's variables. Two releases
in one namespace have services of one name, so the release is what groups them (service.namespace).
*/}}
{{- define "sweetspot.resource" -}}
service.namespace={{ (index . 0).Release.Name }},service.version={{ include "sweetspot.version" (list (index . 0) (index . 2)) }}
{{- ""}},k8s.deployment.name={{ index . 1 }},k8s.namespace.name=$(NAMESPACE),k8s.pod.name=$(POD),k8s.node.name=$(NODE)
{{- end }}

{{/* Where spans go, over HTTP; empty where they go nowhere. */}}
{{- define "sweetspot.otlp" -}}
{{- if .Values.otlp.endpoint }}{{ .Values.otlp.endpoint }}
{{- else if .Values.jaeger.enabled }}http://{{ include "sweetspot.name" (list . "jaeger") }}:4318
{{- end }}
{{- end }}
