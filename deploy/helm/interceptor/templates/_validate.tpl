{{- /* Rejects combinations of values that cannot work, all of them in one message. Called once per DaemonSet, with its context. */ -}}
{{- define "interceptor.validate" -}}
{{- $problems := list -}}
{{- $ship := default dict .Values.config.ship -}}
{{- $kafka := default dict .Values.config.kafka -}}
{{- $sasl := default dict $kafka.sasl -}}

{{- if not .Values.image.repository -}}
{{- $problems = append $problems "image.repository is empty: name your image (--set image.repository=registry.example.com/interceptor)" -}}
{{- end -}}

{{- $sink := default "kafka" $ship.sink -}}
{{- if and (eq $sink "kafka") (not $kafka.brokers) (not (include "interceptor.hasEnv" (list . "INTERCEPTOR_KAFKA_BROKERS"))) -}}
{{- $problems = append $problems "config.kafka.brokers is empty: name a broker (--set 'config.kafka.brokers={kafka.kafka:9092}'), or set config.ship.sink to stdout or none" -}}
{{- end -}}
{{- if eq $sink "file" -}}
{{- if not $ship.file -}}
{{- $problems = append $problems "config.ship.sink is file, but config.ship.file is empty" -}}
{{- else if not (include "interceptor.isMounted" (list . $ship.file "write")) -}}
{{- $problems = append $problems (printf "config.ship.file (%s) is not on a writable volume, and the root file system is read-only: add one with extraVolumes and extraVolumeMounts" $ship.file) -}}
{{- end -}}
{{- end -}}

{{- $tls := default dict $kafka.tls -}}
{{- $kubernetes := default dict .Values.config.kubernetes -}}
{{- $files := dict "config.kafka.tls.caFile" $tls.caFile "config.kafka.tls.certFile" $tls.certFile "config.kafka.tls.keyFile" $tls.keyFile "config.kafka.sasl.passwordFile" $sasl.passwordFile "config.kubernetes.kubeconfig" $kubernetes.kubeconfig -}}
{{- range $key, $path := $files -}}
{{- if and $path (not (include "interceptor.isMounted" (list $ $path "read"))) -}}
{{- $problems = append $problems (printf "%s (%s) is not on a mounted volume: use secrets.tls or secrets.sasl, or add a volume with extraVolumes and extraVolumeMounts" $key $path) -}}
{{- end -}}
{{- end -}}

{{- if eq (toString (default dict .Values.config.capture).source) "cap" -}}
{{- $problems = append $problems "config.capture.source is cap, but the image does not contain the cap package: use auto or af-packet" -}}
{{- end -}}

{{- with .Values.secrets.sasl -}}
{{- if and .name (not $sasl.mechanism) -}}
{{- $problems = append $problems "secrets.sasl.name is set, but config.kafka.sasl.mechanism is not: set it to plain, scram-sha-256 or scram-sha-512" -}}
{{- end -}}
{{- if has (lower (toString $sasl.mechanism)) (list "plain" "scram-sha-256" "scram-sha-512") -}}
{{- if and (not .name) (not $sasl.passwordFile) -}}
{{- $problems = append $problems "config.kafka.sasl.mechanism requires a password: set secrets.sasl.name" -}}
{{- end -}}
{{- if and (not $sasl.username) (not (and .name .usernameKey)) -}}
{{- $problems = append $problems "config.kafka.sasl.mechanism requires a user name: set config.kafka.sasl.username or secrets.sasl.usernameKey" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.secrets.tls -}}
{{- if and .name (ne (empty .certKey) (empty .keyKey)) -}}
{{- $problems = append $problems "secrets.tls.certKey and secrets.tls.keyKey must be set together" -}}
{{- end -}}
{{- end -}}

{{- $grace := int (include "interceptor.gracePeriod" .) -}}
{{- $shutdown := int (include "interceptor.shutdownSeconds" .) -}}
{{- if le $grace $shutdown -}}
{{- $problems = append $problems (printf "terminationGracePeriodSeconds (%d) must exceed config.shutdown.timeout (%d s), or the last pairs are lost" $grace $shutdown) -}}
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
{{- range $kind := list "podMonitor" "serviceMonitor" -}}
{{- if (get $.Values $kind).enabled -}}
{{- if not (include "interceptor.adminAddress" $) -}}
{{- $problems = append $problems (printf "%s.enabled is true, but config.admin.address is empty, so no metrics are served" $kind) -}}
{{- else if or (hasPrefix "127." $host) (eq $host "::1") (eq $host "localhost") -}}
{{- $problems = append $problems (printf "%s.enabled is true, but config.admin.address is a loopback address, which Prometheus cannot reach: set it to '$(HOST_IP):9464'" $kind) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.podMonitor.enabled .Values.serviceMonitor.enabled -}}
{{- $problems = append $problems "podMonitor.enabled and serviceMonitor.enabled would scrape every agent twice: enable one of them" -}}
{{- end -}}

{{- if and .Values.priorityClass.create .Values.priorityClassName -}}
{{- $problems = append $problems "priorityClass.create and priorityClassName exclude each other: set one of them" -}}
{{- end -}}

{{- if $problems -}}
{{- $of := "" -}}
{{- with .pool -}}{{- $of = printf " of pool %s" . -}}{{- end -}}
{{- fail (printf "\n\nThese values%s cannot work together:\n  - %s\n" $of (join "\n  - " $problems)) -}}
{{- end -}}
{{- end -}}

{{- /* "true" where extraEnv sets a variable. Arguments: a context, the variable's name. */ -}}
{{- define "interceptor.hasEnv" -}}
{{- $name := index . 1 -}}
{{- range (index . 0).Values.extraEnv -}}{{- if eq .name $name -}}true{{- end -}}{{- end -}}
{{- end -}}

{{- /* "true" where extraVolumeMounts covers a path. Arguments: a context, the path, `read` or `write`. */ -}}
{{- define "interceptor.isMounted" -}}
{{- $path := index . 1 -}}
{{- $write := eq (index . 2) "write" -}}
{{- range (index . 0).Values.extraVolumeMounts -}}
{{- if and (hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $path) (not (and $write .readOnly)) -}}true{{- end -}}
{{- end -}}
{{- end -}}
