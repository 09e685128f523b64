{{/* What every pod must not be able to do, first half: of the pod. */}}
{{- define "asl.podSecurity" -}}
automountServiceAccountToken: false # nothing asks the cluster for anything
enableServiceLinks: false # a Service named asl would be read as settings ASL_...
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Second half: of each container. */}}
{{- define "asl.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* A variable out of a Secret: (dict "name" "ASL_..." "secret" "asl-redis" "key" "url"). */}}
{{- define "asl.secret" -}}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
{{- end }}

{{- define "asl.databaseUrl" -}}
{{ include "asl.secret" (dict "name" "ASL_DATABASE_URL" "secret" .Values.database.existingSecret "key" .Values.database.urlKey) }}
{{- end }}

{{/* The settings that gateway, workers and dispatcher share. */}}
{{- define "asl.settings" -}}
{{ include "asl.databaseUrl" . }}
{{ include "asl.secret" (dict "name" "ASL_REDIS_URL" "secret" .Values.redis.existingSecret "key" .Values.redis.urlKey) }}
- name: ASL_STORAGE_URL
  value: {{ .Values.storage.url | quote }}
{{ include "asl.secret" (dict "name" "ASL_STORAGE_ACCESS_KEY" "secret" .Values.storage.existingSecret "key" .Values.storage.accessKeyKey) }}
{{ include "asl.secret" (dict "name" "ASL_STORAGE_SECRET_KEY" "secret" .Values.storage.existingSecret "key" .Values.storage.secretKeyKey) }}
{{- if .Values.webhooks.hosts }}
- name: ASL_WEBHOOK_HOSTS
  value: {{ .Values.webhooks.hosts | toJson | quote }}
{{ include "asl.secret" (dict "name" "ASL_WEBHOOK_SECRET" "secret" .Values.webhooks.existingSecret "key" .Values.webhooks.secretKey) }}
{{- end }}
- name: OMP_NUM_THREADS
  value: "1"
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/* Workers and dispatchers touch a file while they work; a database that is away makes none of them unwell. */}}
{{- define "asl.aliveProbes" -}}
startupProbe:
  exec: {command: [sh, -c, test -e /tmp/alive]}
  periodSeconds: 3
  failureThreshold: 60
livenessProbe:
  exec: {command: [sh, -c, "test $(( $(date +%s) - $(stat -c %Y /tmp/alive) )) -lt 30"]}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}

{{/* Pods of one part on different nodes and in different zones, as far as there are any. */}}
{{- define "asl.spread" -}}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ $key }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "asl.selector" $ | nindent 8 }}
  {{- end }}
{{- end }}

{{/* Where a part may run: (its values). */}}
{{- define "asl.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
