{{/* What every pod of the chart has: the restricted profile of Pod Security, and what the cluster's owner sets. */}}

{{/*
(root, entry, selector): the settings of a pod; selector is what spreads its like over nodes.
*/}}
{{- define "sweetspot.podSettings" -}}
{{- $root := index . 0 }}{{ $entry := index . 1 }}{{ $selector := index . 2 | fromYaml -}}
automountServiceAccountToken: false
# Kubernetes would set variables such as SWEETSPOT_PORT from the names of Services, and services would read them as options.
enableServiceLinks: false
{{- $secrets := list }}
{{- range concat $root.Values.imagePullSecrets (dig "imagePullSecrets" list $root.Values.global) }}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) }}
{{- end }}
{{- with uniq $secrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $profile := $entry.seccompProfile }}
{{- /* A model's own profile is merged with the one of `defaults`, and would inherit its file. */}}
{{- if ne $profile.type "Localhost" }}{{ $profile = dict "type" $profile.type }}{{ end }}
securityContext: {{- merge (dict "seccompProfile" $profile) $entry.podSecurityContext | toYaml | nindent 2 }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "priorityClassName" "runtimeClassName" }}
{{- with get $entry $field }}
{{ $field }}:{{ kindIs "string" . | ternary (quote . | printf " %s") (toYaml . | nindent 2) }}
{{- end }}
{{- end }}
{{- $spread := list }}
{{- range $entry.topologySpreadConstraints }}
{{- $spread = append $spread (merge (deepCopy .) (dict "labelSelector" (dict "matchLabels" $selector))) }}
{{- end }}
{{- with $spread }}
topologySpreadConstraints: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (root, entry, selector, no sidecar): the labels and annotations of a pod. */}}
{{- define "sweetspot.podMetadata" -}}
{{- $root := index . 0 }}{{ $entry := index . 1 }}{{ $ends := index . 3 }}
{{- $own := index . 2 | fromYaml }}
{{- $labels := merge $own $entry.podLabels $root.Values.commonLabels }}
{{- $annotations := $entry.podAnnotations }}
{{- if $ends }}
{{- /* The proxy of a service mesh would keep a finished pod alive. Istio reads the label, Linkerd the annotation. */}}
{{- $labels = merge $labels (dict "sidecar.istio.io/inject" "false") }}
{{- $annotations = merge (deepCopy $annotations) (dict "linkerd.io/inject" "disabled") }}
{{- end -}}
labels: {{- toYaml $labels | nindent 2 }}
{{- with $annotations }}
annotations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (root, part, entry): where a container's image comes from, and what it may do. */}}
{{- define "sweetspot.containerSettings" -}}
{{- $entry := index . 2 -}}
image: {{ include "sweetspot.image" . }}
imagePullPolicy: {{ (index . 0).Values.image.pullPolicy }}
{{- with $entry.securityContext }}
securityContext: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (root, entry): the variables that the cluster's owner sets, and those that say how spans are sent. */}}
{{- define "sweetspot.variables" -}}
{{- $otlp := (index . 0).Values.otlp }}{{ $variables := (index . 1).extraEnv }}
{{- if include "sweetspot.otlp" (index . 0) }}
{{- with $otlp.headers.secret }}
{{- $variables = append $variables (dict "name" "OTEL_EXPORTER_OTLP_HEADERS" "valueFrom" (dict "secretKeyRef" (dict "name" . "key" $otlp.headers.key))) }}
{{- end }}
{{- if $otlp.ca.configMap }}
{{- $variables = append $variables (dict "name" "OTEL_EXPORTER_OTLP_CERTIFICATE" "value" "/etc/otlp/ca.crt") }}
{{- end }}
{{- end }}
{{- with $variables }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* (root, entry) */}}
{{- define "sweetspot.volumeMounts" -}}
{{- $mounts := (index . 1).extraVolumeMounts }}
{{- if (index . 0).Values.otlp.ca.configMap }}
{{- $mounts = append $mounts (dict "name" "otlp-ca" "mountPath" "/etc/otlp" "readOnly" true) }}
{{- end }}
{{- with $mounts -}}
volumeMounts: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (root, entry) */}}
{{- define "sweetspot.volumes" -}}
{{- $volumes := (index . 1).extraVolumes }}
{{- with (index . 0).Values.otlp.ca }}
{{- if .configMap }}
{{- $items := list (dict "key" .key "path" "ca.crt") }}
{{- $volumes = append $volumes (dict "name" "otlp-ca" "configMap" (dict "name" .configMap "items" $items)) }}
{{- end }}
{{- end }}
{{- with $volumes -}}
volumes: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* (cpu, memory): limits are the requests, so that a pod has what it is measured with, whoever its neighbours are. */}}
{{- define "sweetspot.resources" -}}
resources:
  requests: &resources
    cpu: {{ index . 0 | quote }}
    memory: {{ index . 1 }}
  limits: *resources
{{- end }}

{{/* A value as a variable holds it. Numbers of a values file are floats here, which Go prints as 1.6777216e+07; JSON does not. */}}
{{- define "sweetspot.text" -}}
{{- kindIs "string" . | ternary . (toJson .) | quote }}
{{- end }}
