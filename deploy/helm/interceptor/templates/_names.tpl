{{- /*
Names, labels, image. The argument of templates that are rendered once per pool is a context: the root's keys, with `Values` merged for the
pool and `pool` its name ("" for the main DaemonSet). templates/_pools.tpl has more.
*/ -}}
{{- define "interceptor.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "interceptor.fullname" -}}
{{- $name := include "interceptor.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "interceptor.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- /* Cluster-scoped objects: two releases of one name in two namespaces must not share them. */ -}}
{{- define "interceptor.clusterName" -}}
{{- printf "%s-%s" (include "interceptor.namespace" .) (include "interceptor.fullname" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "interceptor.selectorLabels" -}}
app.kubernetes.io/name: {{ include "interceptor.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "interceptor.labels" -}}
{{ include "interceptor.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "interceptor.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "interceptor.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "interceptor.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}
