{{/* (root, name, component, labels, selector): who may ask a service, and whom it may ask. Nothing else passes. */}}
{{- define "sweetspot.networkPolicy" }}
{{- $root := index . 0 }}{{ $component := index . 2 }}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ index . 1 }}
  labels: {{- index . 3 | nindent 4 }}
spec:
  podSelector:
    matchLabels: {{- index . 4 | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        - podSelector:
            matchLabels: {{- include "sweetspot.selector" (list $root "driver") | nindent 14 }}
        {{- if eq $component "backend" }}
        - podSelector:
            matchLabels: {{- include "sweetspot.selector" (list $root "model") | nindent 14 }}
        {{- end }}
        {{- range $root.Values.networkPolicy.namespaces }}
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: {{ . | quote }}}
        {{- end }}
      ports:
        - {port: grpc}
        - {port: control}
    {{- if and $root.Values.metrics.enabled $root.Values.metrics.namespaces }}
    - from:
        {{- range $root.Values.metrics.namespaces }}
        - namespaceSelector:
            matchLabels: {kubernetes.io/metadata.name: {{ . | quote }}}
        {{- end }}
      ports:
        - {port: metrics}
    {{- end }}
  egress:
    - to:
        - namespaceSelector: {}
      ports:
        - {port: 53, protocol: UDP}
        - {port: 53, protocol: TCP}
    {{- if and (eq $component "model") $root.Values.backend.enabled }}
    - to:
        - podSelector:
            matchLabels: {{- include "sweetspot.selector" (list $root "backend") | nindent 14 }}
      ports:
        - {port: grpc}
    {{- end }}
    {{- if $root.Values.otlp.endpoint }}
    # The collector is outside of this release, at any address.
    - ports:
        - {port: {{ (urlParse $root.Values.otlp.endpoint).host | splitList ":" | last | int | default 4318 }}}
    {{- else if $root.Values.jaeger.enabled }}
    - to:
        - podSelector:
            matchLabels: {{- include "sweetspot.selector" (list $root "jaeger") | nindent 14 }}
      ports:
        - {port: otlp-http}
    {{- end }}
{{- end }}
