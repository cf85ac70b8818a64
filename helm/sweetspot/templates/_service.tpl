{{/*
One gRPC service of the project, a model's or the backend: ServiceAccount, Deployment, Services, and what guards them.
(root, part, component, entry): part is the name of a model, or `backend`; entry is what its values come to.
*/}}
{{- define "sweetspot.service" -}}
{{- $root := index . 0 }}{{ $part := index . 1 }}{{ $component := index . 2 }}{{ $entry := index . 3 }}
{{- $name := include "sweetspot.name" (list $root $part) }}
{{- $which := eq $component "model" | ternary (list $root $component $part) (list $root $component) }}
{{- $labels := include "sweetspot.labels" $which }}
{{- $selector := include "sweetspot.selector" $which }}
{{- $scaled := $entry.autoscaling.enabled }}
{{- if and $scaled $root.Values.experiments.enabled }}
{{- fail (printf "autoscaling of %s: an experiment needs a fixed number of pods; set experiments.enabled=false, or autoscaling.enabled=false" $part) }}
{{- end }}
{{- if and $scaled (gt (int $entry.autoscaling.minReplicas) (int $entry.autoscaling.maxReplicas)) }}
{{- fail (printf "autoscaling of %s: minReplicas is greater than maxReplicas" $part) }}
{{- end }}
{{- $drain := dig "drain_timeout_s" 15 $entry.options }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
  {{- with $entry.serviceAccount.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
spec:
  {{- if not $scaled }}
  replicas: {{ int $entry.replicas }}
  {{- end }}
  revisionHistoryLimit: 2
  progressDeadlineSeconds: 120
  strategy:
    # A new pod is ready before an old one stops.
    rollingUpdate: {maxUnavailable: 0, maxSurge: 1}
  selector:
    matchLabels: {{- $selector | nindent 6 }}
  template:
    metadata: {{- include "sweetspot.podMetadata" (list $root $entry $selector false) | nindent 6 }}
    spec:
      serviceAccountName: {{ $name }}
      {{- include "sweetspot.podSettings" (list $root $entry $selector) | nindent 6 }}
      # The pod loses its new clients (preStop), finishes calls in flight (drain), and sends spans (6 s). The rest is margin.
      terminationGracePeriodSeconds: {{ add $entry.preStopSeconds (ceil $drain) 6 4 }}
      containers:
        - name: service
          {{- include "sweetspot.containerSettings" (list $root $part $entry) | nindent 10 }}
          {{- include "sweetspot.resources" (list $entry.cpu $entry.memory) | nindent 10 }}
          ports:
            - {name: grpc, containerPort: 50051}
            - {name: control, containerPort: 50052}
            {{- if $root.Values.metrics.enabled }}
            - {name: metrics, containerPort: 9464}
            {{- end }}
          env:
            {{- if $root.Values.metrics.enabled }}
            - name: SWEETSPOT_METRICS_PORT
              value: "9464"
            {{- end }}
            {{- if and (eq $component "model") $root.Values.backend.enabled }}
            - name: SWEETSPOT_BACKEND
              value: {{ include "sweetspot.name" (list $root "backend") }}:50051
            {{- end }}
            {{- range $option, $value := $entry.options }}
            - name: SWEETSPOT_{{ upper $option }}
              value: {{ include "sweetspot.text" $value }}
            {{- end }}
            {{- with include "sweetspot.otlp" $root }}
            - name: POD
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            - name: NODE
              valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
            - name: NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            - name: OTEL_RESOURCE_ATTRIBUTES
              value: {{ include "sweetspot.resource" (list $root $name $part) | quote }}
            - name: OTEL_EXPORTER_OTLP_ENDPOINT
              value: {{ . | quote }}
            {{- if not $root.Values.otlp.endpoint }}
            # Jaeger accepts spans, but no metrics.
            - name: OTEL_METRICS_EXPORTER
              value: none
            {{- end }}
            {{- end }}
            {{- with include "sweetspot.variables" (list $root $entry) }}{{ . | nindent 12 }}{{ end }}
          {{- with include "sweetspot.volumeMounts" (list $root $entry) }}{{ . | nindent 10 }}{{ end }}
          # The startup probe connects to the port for calls, which is open once the model listens. The others ask the control
          # port. It answers while every worker is busy, because an overloaded service must not be restarted.
          startupProbe:
            grpc: {port: 50051}
            periodSeconds: 1
            timeoutSeconds: 5
            failureThreshold: 60
          readinessProbe:
            grpc: {port: 50052, service: readiness}
            periodSeconds: 5
            timeoutSeconds: 5
          livenessProbe:
            grpc: {port: 50052, service: liveness}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 6
          lifecycle:
            preStop:
              sleep: {seconds: {{ int $entry.preStopSeconds }}}
      {{- with include "sweetspot.volumes" (list $root $entry) }}{{ . | nindent 6 }}{{ end }}
---
# One address for all pods. All calls of a connection go to the same pod.
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
  {{- with $entry.service.annotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $entry.service.type }}
  ipFamilyPolicy: {{ $root.Values.ipFamilyPolicy }}
  selector: {{- $selector | nindent 4 }}
  ports:
    - {name: grpc, port: 50051, targetPort: grpc, appProtocol: kubernetes.io/h2c}
    - {name: control, port: 50052, targetPort: control, appProtocol: kubernetes.io/h2c}
---
# An address in DNS for each ready pod, for clients that balance their calls.
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}-headless
  labels: {{- $labels | nindent 4 }}
spec:
  clusterIP: None
  ipFamilyPolicy: {{ $root.Values.ipFamilyPolicy }}
  selector: {{- $selector | nindent 4 }}
  ports:
    - {name: grpc, port: 50051, targetPort: grpc, appProtocol: kubernetes.io/h2c}
    - {name: control, port: 50052, targetPort: control, appProtocol: kubernetes.io/h2c}
{{- if $scaled }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ $name }}}
  minReplicas: {{ int $entry.autoscaling.minReplicas }}
  maxReplicas: {{ int $entry.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ int $entry.autoscaling.cpuPercent }}}}
  {{- with $entry.autoscaling.behavior }}
  behavior: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- if ge (int (ternary $entry.autoscaling.minReplicas $entry.replicas $scaled)) 2 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- $selector | nindent 6 }}
{{- end }}
{{- if $root.Values.networkPolicy.enabled }}
---
{{- include "sweetspot.networkPolicy" (list $root $name $component $labels $selector) }}
{{- end }}
{{- end }}
