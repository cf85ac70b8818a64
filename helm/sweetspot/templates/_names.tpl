{{/* How objects are called and found. One name in three spellings: model `thread_pool`, DNS `thread-pool`, object `<release>-thread-pool`. */}}

{{- define "sweetspot.dns" -}}
{{ . | replace "_" "-" }}
{{- end }}

{{/* (release, part): the longest that is derived from it ends in -headless, and a Service's name has 63 characters. */}}
{{- define "sweetspot.name" -}}
{{- $name := printf "%s-%s" (index . 0) (include "sweetspot.dns" (index . 1)) }}
{{- if gt (len $name) 54 }}
{{- fail (printf "the release name %q is too long: with it %q has more than 54 characters; take a shorter one" (index . 0) $name) }}
{{- end }}
{{- if not (regexMatch "^[a-z]" $name) }}
{{- fail (printf "the release name %q does not begin with a letter, and a Service's name has to (RFC 1035); take another one" (index . 0)) }}
{{- end }}
{{- $name }}
{{- end }}

{{/* (root, component): what selects pods; never changes. */}}
{{- define "sweetspot.selector" -}}
app.kubernetes.io/name: sweetspot
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* (root, component): what every object has. */}}
{{- define "sweetspot.labels" -}}
{{ include "sweetspot.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* (root, part): registry/sweetspot/thread-pool:tag */}}
{{- define "sweetspot.image" -}}
{{- $image := (index . 0).Values.image }}
{{- with $image.registry }}{{ . }}/{{ end }}{{ $image.repository }}/{{ include "sweetspot.dns" (index . 1) }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end }}

{{/*
(root, deployment): OpenTelemetry's resource attributes of a pod; names in $() are the container's variables. Two releases
in one namespace have services of one name, so the release is what groups them (service.namespace).
*/}}
{{- define "sweetspot.resource" -}}
service.namespace={{ (index . 0).Release.Name }},service.version={{ (index . 0).Values.image.tag | default (index . 0).Chart.AppVersion }}
{{- ""}},k8s.deployment.name={{ index . 1 }},k8s.namespace.name=$(NAMESPACE),k8s.pod.name=$(POD),k8s.node.name=$(NODE)
{{- end }}

{{/* Where spans go, over HTTP; empty where nobody takes them. */}}
{{- define "sweetspot.otlp" -}}
{{- if .Values.otlp.endpoint }}{{ .Values.otlp.endpoint }}
{{- else if .Values.jaeger.enabled }}http://{{ include "sweetspot.name" (list .Release.Name "jaeger") }}:4318
{{- end }}
{{- end }}
