{{- /* The program's configuration as YAML: `config`, completed with settings derived from other values. */ -}}
{{- define "interceptor.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $derived := dict "targets" (dict "procRoot" "/host/proc") -}}
{{- with (include "interceptor.memoryLimit" .) -}}
{{- $limits := default dict $config.limits -}}
{{- $memory := div (int .) 2 -}}
{{- if $limits.memory -}}{{- $memory = int (include "interceptor.mebibytes" $limits.memory) -}}{{- end -}}
{{- $_ := set $derived "limits" (dict "memory" (printf "%dMiB" $memory)) -}}
{{- $_ := set $derived "ship" (dict "bufferBytes" (printf "%dMiB" (div $memory 4))) -}}
{{- $_ := set $derived "capture" (dict "ringBytes" (printf "%dMiB" (min 64 (max 1 (div (int .) 64))))) -}}
{{- end -}}
{{- $kafka := dict -}}
{{- with .Values.secrets.sasl -}}
{{- if .name -}}{{- $_ := set $kafka "sasl" (dict "passwordFile" "/run/secrets/interceptor/sasl/password") -}}{{- end -}}
{{- end -}}
{{- with .Values.secrets.tls -}}
{{- if .name -}}
{{- $tls := dict "enabled" true -}}
{{- if .caKey -}}{{- $_ := set $tls "caFile" "/run/secrets/interceptor/tls/ca.crt" -}}{{- end -}}
{{- if .certKey -}}{{- $_ := set $tls "certFile" "/run/secrets/interceptor/tls/tls.crt" -}}{{- end -}}
{{- if .keyKey -}}{{- $_ := set $tls "keyFile" "/run/secrets/interceptor/tls/tls.key" -}}{{- end -}}
{{- $_ := set $kafka "tls" $tls -}}
{{- end -}}
{{- end -}}
{{- $_ := set $derived "kafka" $kafka -}}
{{- $config = merge $config $derived -}}
{{- /* The kubelet expands $(HOST_IP) in environment variables only, so such an address is set there. */ -}}
{{- if contains "$(" (include "interceptor.adminAddress" .) -}}
{{- $_ := set $config "admin" (omit $config.admin "address") -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{- /* A change of this checksum restarts the pods. Running agents can reload `filter`, `log.level`, and `targets` except procRoot. */ -}}
{{- define "interceptor.configChecksum" -}}
{{- $config := include "interceptor.config" . | fromYaml -}}
{{- if .Values.configReload -}}
{{- $_ := set $config "targets" (pick $config.targets "procRoot") -}}
{{- if $config.log -}}{{- $_ := set $config "log" (omit $config.log "level") -}}{{- end -}}
{{- $config = omit $config "filter" -}}
{{- if not $config.log -}}{{- $config = omit $config "log" -}}{{- end -}}
{{- end -}}
{{- toYaml $config | sha256sum -}}
{{- end -}}

{{- /* The container's memory limit in MiB; empty without one. */ -}}
{{- define "interceptor.memoryLimit" -}}
{{- $limits := default dict .Values.resources.limits -}}
{{- if $limits.memory -}}{{- include "interceptor.mebibytes" $limits.memory -}}{{- end -}}
{{- end -}}

{{- /* Whole MiB of a Kubernetes quantity (512Mi), a size of the configuration (512MiB) or a number of bytes. */ -}}
{{- define "interceptor.mebibytes" -}}
{{- $text := toString . -}}
{{- if not (kindIs "string" .) -}}{{- $text = printf "%.0f" (float64 .) -}}{{- end -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text | trimSuffix "B" -}}
{{- $bytes := dict "" 1 "k" 1e3 "K" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- if or (eq $number "") (not (hasKey $bytes $unit)) -}}
{{- fail (printf "%s is not a size such as 512Mi" $text) -}}
{{- end -}}
{{- divf (mulf (float64 $number) (get $bytes $unit)) 1048576 | floor | int -}}
{{- end -}}

{{- /* Whole seconds, rounded up, of a duration of the configuration (10s, 500ms, a bare number of milliseconds). */ -}}
{{- define "interceptor.seconds" -}}
{{- $text := toString . -}}
{{- if not (kindIs "string" .) -}}{{- $text = printf "%.0f" (float64 .) -}}{{- end -}}
{{- $number := regexFind "^[0-9]+([.][0-9]+)?" $text -}}
{{- $unit := trimPrefix $number $text -}}
{{- $seconds := dict "" 0.001 "ms" 0.001 "s" 1 "m" 60 "h" 3600 "d" 86400 -}}
{{- if or (eq $number "") (not (hasKey $seconds $unit)) -}}
{{- fail (printf "%s is not a duration such as 10s" $text) -}}
{{- end -}}
{{- mulf (float64 $number) (get $seconds $unit) | ceil | int -}}
{{- end -}}

{{- define "interceptor.shutdownSeconds" -}}
{{- $shutdown := default dict .Values.config.shutdown -}}
{{- include "interceptor.seconds" (default "10s" $shutdown.timeout) -}}
{{- end -}}

{{- define "interceptor.gracePeriod" -}}
{{- $given := .Values.terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $given -}}
{{- add (int (include "interceptor.shutdownSeconds" .)) 5 -}}
{{- else -}}
{{- int $given -}}
{{- end -}}
{{- end -}}

{{- define "interceptor.adminAddress" -}}
{{- $admin := default dict .Values.config.admin -}}
{{- if hasKey $admin "address" -}}{{- $admin.address -}}{{- else -}}127.0.0.1:9464{{- end -}}
{{- end -}}

{{- /* The folder of the socket that `tail` and `top --agent` read; empty without one. */ -}}
{{- define "interceptor.tapFolder" -}}
{{- $tap := default dict .Values.config.tap -}}
{{- with (hasKey $tap "socket" | ternary $tap.socket "/run/interceptor/tap.sock") -}}{{- dir . -}}{{- end -}}
{{- end -}}

{{- define "interceptor.adminPort" -}}
{{- regexFind "[0-9]+$" (include "interceptor.adminAddress" .) -}}
{{- end -}}

{{- define "interceptor.adminHost" -}}
{{- include "interceptor.adminAddress" . | trimSuffix (printf ":%s" (include "interceptor.adminPort" .)) | trimPrefix "[" | trimSuffix "]" -}}
{{- end -}}

{{- /* A probe's httpGet. Without `host` the kubelet connects to the pod's address, which is the node's. */ -}}
{{- define "interceptor.probe" -}}
{{- $host := include "interceptor.adminHost" .root -}}
httpGet:
  path: {{ .path }}
  port: {{ include "interceptor.adminPort" .root }}
  {{- if or (eq $host "0.0.0.0") (eq $host "") }}
  host: 127.0.0.1
  {{- else if eq $host "::" }}
  host: "::1"
  {{- else if not (contains "$(" $host) }}
  host: {{ $host | quote }}
  {{- end }}
{{ toYaml .timing }}
{{- end -}}

{{- /* "true" where the agent uses the API server, else empty. */ -}}
{{- define "interceptor.asksKubernetes" -}}
{{- $kubernetes := default dict .Values.config.kubernetes -}}
{{- if ne (toString $kubernetes.enabled) "false" -}}true{{- end -}}
{{- end -}}
