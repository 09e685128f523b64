{{/* The release's name, with the chart's where it does not hold it. */}}
{{- define "asl.name" -}}
{{- $name := ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) (contains .Chart.Name .Release.Name) -}}
{{- $name | trunc 45 | trimSuffix "-" -}}
{{- end }}

{{/* What all pods of the release have in common, and no other has. */}}
{{- define "asl.ours" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* What the pods of one part have in common: (dict "root" $ "part" "gateway"). */}}
{{- define "asl.selector" -}}
{{ include "asl.ours" .root }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "asl.labels" -}}
{{ include "asl.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* An image: (dict "root" $ "image" "worker"). */}}
{{- define "asl.image" -}}
{{- $image := .root.Values.image -}}
{{- $path := get $image .image -}}
{{- $prefix := ternary (printf "%s/" $image.registry) "" (ne $image.registry "") -}}
{{- printf "%s%s:%s" $prefix $path ($image.tag | default .root.Chart.AppVersion) | quote -}}
{{- end }}
