{{- /* Values that are each right and cannot work together. Called once, by the DaemonSet. */ -}}
{{- define "interceptor.validate" -}}
{{- $ship := default dict .Values.config.ship -}}
{{- $kafka := default dict .Values.config.kafka -}}
{{- $sasl := default dict $kafka.sasl -}}
{{- $problems := list -}}

{{- if and (eq (default "kafka" $ship.sink) "kafka") (not $kafka.brokers) (not (include "interceptor.hasEnv" (list . "INTERCEPTOR_KAFKA_BROKERS"))) -}}
{{- $problems = append $problems "config.kafka.brokers is empty: name a broker (--set 'config.kafka.brokers={kafka.kafka:9092}'), or another config.ship.sink (stdout, none)" -}}
{{- end -}}

{{- with .Values.secrets.sasl -}}
{{- if and .name (not $sasl.mechanism) -}}
{{- $problems = append $problems "secrets.sasl.name is set, but config.kafka.sasl.mechanism is not: plain, scram-sha-256 or scram-sha-512" -}}
{{- end -}}
{{- if and $sasl.mechanism (not .name) (not $sasl.passwordFile) -}}
{{- $problems = append $problems "config.kafka.sasl.mechanism needs a password: secrets.sasl.name" -}}
{{- end -}}
{{- if and $sasl.mechanism (not $sasl.username) (not (and .name .usernameKey)) -}}
{{- $problems = append $problems "config.kafka.sasl.mechanism needs a user: config.kafka.sasl.username or secrets.sasl.usernameKey" -}}
{{- end -}}
{{- end -}}
{{- with .Values.secrets.tls -}}
{{- if and .name (ne (empty .certKey) (empty .keyKey)) -}}
{{- $problems = append $problems "secrets.tls.certKey and secrets.tls.keyKey go together" -}}
{{- end -}}
{{- end -}}

{{- $grace := int (include "interceptor.gracePeriod" .) -}}
{{- $shutdown := int (include "interceptor.shutdownSeconds" .) -}}
{{- if le $grace $shutdown -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds (%d) must be over config.shutdown.timeout (%d s), or the last pairs are lost" $grace $shutdown) -}}
{{- end -}}

{{- with (include "interceptor.memoryLimit" .) -}}
{{- if lt (int .) 192 -}}
{{- $problems = append $problems "resources.limits.memory must be at least 192Mi" -}}
{{- end -}}
{{- $limits := default dict $.Values.config.limits -}}
{{- if $limits.memory -}}
{{- if gt (add (int (include "interceptor.mebibytes" $limits.memory)) 96) (int .) -}}
{{- $problems = append $problems (printf "config.limits.memory (%v) leaves Node.js less than 96 MiB of resources.limits.memory (%s MiB)" $limits.memory .) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- $host := include "interceptor.adminHost" . -}}
{{- if .Values.podMonitor.enabled -}}
{{- if not (include "interceptor.adminAddress" .) -}}
{{- $problems = append $problems "podMonitor.enabled, but config.admin.address is empty: nothing is served" -}}
{{- else if or (hasPrefix "127." $host) (eq $host "::1") (eq $host "localhost") -}}
{{- $problems = append $problems "podMonitor.enabled, but config.admin.address is loopback, which Prometheus cannot reach: write '$(HOST_IP):9464'" -}}
{{- end -}}
{{- end -}}

{{- if and .Values.priorityClass.create .Values.priorityClassName -}}
{{- $problems = append $problems "priorityClass.create and priorityClassName: choose one" -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "\n\nThese values cannot work together:\n  - %s\n" (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- /* "true" where extraEnv sets a variable; takes the root and its name. */ -}}
{{- define "interceptor.hasEnv" -}}
{{- $name := index . 1 -}}
{{- range (index . 0).Values.extraEnv -}}{{- if eq .name $name -}}true{{- end -}}{{- end -}}
{{- end -}}
