{{/* What every container and pod of the chart has in common: the restricted profile of Pod Security, and more. */}}

{{/* (profile of seccomp) */}}
{{- define "sweetspot.podSecurity" -}}
automountServiceAccountToken: false
# Variables such as SWEETSPOT_PORT, made from the names of Services, would be read as options.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  seccompProfile: {{- toYaml . | nindent 4 }}
{{- end }}

{{- define "sweetspot.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
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
