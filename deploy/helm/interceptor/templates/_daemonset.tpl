{{- /* A DaemonSet and its ConfigMap. Argument: a context (_pools.tpl). */ -}}
{{- define "interceptor.daemonSet" -}}
{{- include "interceptor.validate" . }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ include "interceptor.poolName" . }}
  namespace: {{ include "interceptor.namespace" . }}
  labels:
    {{- include "interceptor.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "interceptor.poolSelectorLabels" . | nindent 6 }}
  revisionHistoryLimit: {{ .Values.revisionHistoryLimit }}
  minReadySeconds: {{ .Values.minReadySeconds }}
  updateStrategy:
    type: {{ .Values.updateStrategy.type }}
    {{- if eq .Values.updateStrategy.type "RollingUpdate" }}
    rollingUpdate:
      maxUnavailable: {{ .Values.updateStrategy.maxUnavailable }}
    {{- end }}
  template:
    metadata:
      labels:
        {{- include "interceptor.labels" . | nindent 8 }}
        interceptor.dev/pool: {{ default "main" .pool }}
        {{- with .Values.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: interceptor
        checksum/config: {{ include "interceptor.configChecksum" . }}
        {{- with (include "interceptor.appArmorAnnotation" .) }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      hostNetwork: true
      hostPID: {{ .Values.hostPID }}
      # By default a pod on the host's network uses the node's resolver, which does not resolve Kafka's Service.
      dnsPolicy: {{ .Values.dnsPolicy }}
      {{- with .Values.dnsConfig }}
      dnsConfig:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.hostAliases }}
      hostAliases:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.runtimeClassName }}
      runtimeClassName: {{ . }}
      {{- end }}
      serviceAccountName: {{ include "interceptor.serviceAccount" . }}
      automountServiceAccountToken: {{ include "interceptor.asksKubernetes" . | eq "true" }}
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ include "interceptor.gracePeriod" . }}
      {{- if .Values.priorityClass.create }}
      priorityClassName: {{ include "interceptor.clusterName" . }}
      {{- else if .Values.priorityClassName }}
      priorityClassName: {{ .Values.priorityClassName }}
      {{- end }}
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.nodeSelector }}
      nodeSelector:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .Values.tolerations }}
      tolerations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with (include "interceptor.affinity" .) }}
      affinity:
        {{- . | nindent 8 }}
      {{- end }}
      {{- with .Values.initContainers }}
      initContainers:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: interceptor
          image: {{ include "interceptor.image" . | quote }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          args:
            - agent
            {{- with .Values.extraArgs }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          env:
            {{- include "interceptor.env" . | nindent 12 }}
          {{- with .Values.extraEnvFrom }}
          envFrom:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          {{- if include "interceptor.adminAddress" . }}
          ports:
            - name: admin
              containerPort: {{ include "interceptor.adminPort" . }}
              protocol: TCP
          {{- with .Values.probes.startup }}
          startupProbe:
            {{- include "interceptor.probe" (dict "root" $ "path" "/livez" "timing" .) | nindent 12 }}
          {{- end }}
          {{- with .Values.probes.liveness }}
          livenessProbe:
            {{- include "interceptor.probe" (dict "root" $ "path" "/livez" "timing" .) | nindent 12 }}
          {{- end }}
          {{- with .Values.probes.readiness }}
          readinessProbe:
            {{- include "interceptor.probe" (dict "root" $ "path" "/readyz" "timing" .) | nindent 12 }}
          {{- end }}
          {{- end }}
          {{- with .Values.resources }}
          resources:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          securityContext:
            {{- include "interceptor.securityContext" . | nindent 12 }}
          terminationMessagePolicy: FallbackToLogsOnError
          volumeMounts:
            - name: config
              mountPath: /etc/interceptor
              readOnly: true
            - name: host-proc
              mountPath: /host/proc
              readOnly: true
            {{- with (include "interceptor.tapFolder" .) }}
            - name: tap
              mountPath: {{ . }}
            {{- end }}
            {{- if (default dict .Values.secrets.sasl).name }}
            - name: sasl
              mountPath: /run/secrets/interceptor/sasl
              readOnly: true
            {{- end }}
            {{- if (default dict .Values.secrets.tls).name }}
            - name: tls
              mountPath: /run/secrets/interceptor/tls
              readOnly: true
            {{- end }}
            {{- with .Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with .Values.extraContainers }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        {{- include "interceptor.volumes" . | nindent 8 }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "interceptor.poolName" . }}
  namespace: {{ include "interceptor.namespace" . }}
  labels:
    {{- include "interceptor.labels" . | nindent 4 }}
data:
  config.yaml: |
    {{- include "interceptor.config" . | nindent 4 }}
{{- end -}}
