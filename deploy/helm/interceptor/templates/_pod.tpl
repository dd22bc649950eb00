{{- define "interceptor.env" -}}
# Read by `agent`, and by every command that `kubectl exec` runs in the pod.
- name: INTERCEPTOR_CONFIG
  value: /etc/interceptor/config.yaml
- name: NODE_NAME
  valueFrom: { fieldRef: { fieldPath: spec.nodeName } }
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- name: POD_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
- name: POD_UID
  valueFrom: { fieldRef: { fieldPath: metadata.uid } }
- name: HOST_IP
  valueFrom: { fieldRef: { fieldPath: status.hostIP } }
{{- if contains "$(" (include "interceptor.adminAddress" .) }}
- name: INTERCEPTOR_ADMIN_ADDRESS
  value: {{ include "interceptor.adminAddress" . | quote }}
{{- end }}
{{- with (include "interceptor.nodeOptions" .) }}
- name: NODE_OPTIONS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.secrets.sasl }}
{{- if and .name .usernameKey }}
- name: INTERCEPTOR_KAFKA_SASL_USERNAME
  valueFrom: { secretKeyRef: { name: {{ .name | quote }}, key: {{ .usernameKey | quote }} } }
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* A fifth of the memory limit for the JavaScript heap; captured traffic is held outside of it. */ -}}
{{- define "interceptor.nodeOptions" -}}
{{- $options := list -}}
{{- with (include "interceptor.memoryLimit" .) -}}
{{- $options = append $options (printf "--max-old-space-size=%d" (max 64 (div (int .) 5))) -}}
{{- end -}}
{{- with .Values.nodeOptions -}}{{- $options = append $options . -}}{{- end -}}
{{- join " " $options -}}
{{- end -}}

{{- define "interceptor.securityContext" -}}
{{- $context := dict -}}
{{- if .Values.privileged -}}
{{- $context = dict "privileged" true "runAsUser" 0 "runAsGroup" 0 "readOnlyRootFilesystem" true -}}
{{- else -}}
{{- $context = deepCopy .Values.securityContext -}}
{{- if and .Values.appArmorProfile (include "interceptor.hasAppArmorField" .) -}}
{{- $_ := set $context "appArmorProfile" .Values.appArmorProfile -}}
{{- end -}}
{{- end -}}
{{- with .Values.seLinuxOptions -}}{{- $_ := set $context "seLinuxOptions" . -}}{{- end -}}
{{- toYaml $context -}}
{{- end -}}

{{- /* The field exists since Kubernetes 1.30; earlier versions read an annotation. */ -}}
{{- define "interceptor.hasAppArmorField" -}}
{{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version -}}true{{- end -}}
{{- end -}}

{{- define "interceptor.appArmorAnnotation" -}}
{{- if and .Values.appArmorProfile (not .Values.privileged) (not (include "interceptor.hasAppArmorField" .)) -}}
{{- $names := dict "Unconfined" "unconfined" "RuntimeDefault" "runtime/default" -}}
{{- $profile := .Values.appArmorProfile -}}
container.apparmor.security.beta.kubernetes.io/interceptor: {{ get $names $profile.type | default (printf "localhost/%s" $profile.localhostProfile) }}
{{- end -}}
{{- end -}}

{{- define "interceptor.volumes" -}}
- name: config
  configMap:
    name: {{ include "interceptor.poolName" . }}
- name: host-proc
  hostPath:
    path: /proc
    type: Directory
{{- if include "interceptor.tapFolder" . }}
- name: tap
  emptyDir:
    sizeLimit: 1Mi
{{- end }}
{{- with .Values.secrets.sasl }}
{{- if .name }}
- name: sasl
  secret:
    secretName: {{ .name }}
    defaultMode: 256 # 0400, which YAML 1.2 would read as 400
    items:
      - { key: {{ .passwordKey | quote }}, path: password }
{{- end }}
{{- end }}
{{- with .Values.secrets.tls }}
{{- if .name }}
- name: tls
  secret:
    secretName: {{ .name }}
    defaultMode: 256 # 0400, which YAML 1.2 would read as 400
    items:
      {{- if .caKey }}
      - { key: {{ .caKey | quote }}, path: ca.crt }
      {{- end }}
      {{- if .certKey }}
      - { key: {{ .certKey | quote }}, path: tls.crt }
      {{- end }}
      {{- if .keyKey }}
      - { key: {{ .keyKey | quote }}, path: tls.key }
      {{- end }}
{{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
