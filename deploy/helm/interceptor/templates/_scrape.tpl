{{- /* The endpoint of PodMonitor and ServiceMonitor. Argument: `podMonitor` or `serviceMonitor`. */ -}}
{{- define "interceptor.scrape" -}}
path: /metrics
# Series of an interface carry the captured pod in `namespace` and `pod`.
honorLabels: true
interval: {{ .interval }}
scrapeTimeout: {{ .scrapeTimeout }}
relabelings:
  - sourceLabels: [__meta_kubernetes_pod_node_name]
    targetLabel: node
  {{- with .relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
