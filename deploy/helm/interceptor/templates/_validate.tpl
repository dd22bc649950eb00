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

{{- $secret := default dict .Values.secrets.sasl -}}
{{- if and $secret.name (not $sasl.mechanism) -}}
{{- $problems = append $problems "secrets.sasl.name is set, but config.kafka.sasl.mechanism is not: set it to plain, scram-sha-256 or scram-sha-512" -}}
{{- end -}}
{{- if has (lower (toString $sasl.mechanism)) (list "plain" "scram-sha-256" "scram-sha-512") -}}
{{- if and (not $secret.name) (not $sasl.passwordFile) -}}
{{- $problems = append $problems "config.kafka.sasl.mechanism requires a password: set secrets.sasl.name" -}}
{{- end -}}
{{- if and (not $sasl.username) (not (and $secret.name $secret.usernameKey)) -}}
{{- $problems = append $problems "config.kafka.sasl.mechanism requires a user name: set config.kafka.sasl.username or secrets.sasl.usernameKey" -}}
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

{{- $effective := include "interceptor.config" . | fromYaml -}}
{{- $memory := (default dict $effective.limits).memory -}}
{{- $buffer := (default dict $effective.ship).bufferBytes -}}
{{- if and $memory $buffer -}}
{{- if gt (int (include "interceptor.mebibytes" $buffer)) (int (include "interceptor.mebibytes" $memory)) -}}
{{- $problems = append $problems (printf "config.ship.bufferBytes (%v) must be at most limits.memory (%v)" $buffer $memory) -}}
{{- end -}}
{{- end -}}

{{- $port := int (include "interceptor.adminPort" .) -}}
{{- if and (include "interceptor.adminAddress" .) (or (lt $port 1) (gt $port 65535)) -}}
{{- $problems = append $problems (printf "config.admin.address has port %d: the kubelet needs one from 1 to 65535 for its probes" $port) -}}
{{- end -}}
{{- $mayBind := or .Values.privileged (has "NET_BIND_SERVICE" (default list (default dict .Values.securityContext.capabilities).add)) -}}
{{- if and (gt $port 0) (lt $port 1024) (not $mayBind) -}}
{{- $problems = append $problems (printf "config.admin.address has port %d, which requires NET_BIND_SERVICE in securityContext.capabilities.add: use a port from 1024 on" $port) -}}
{{- end -}}

{{- $filter := default dict .Values.config.filter -}}
{{- with (default dict $filter.include).statuses -}}
{{- $filtered := list "301" "308" "4xx" "5xx" -}}
{{- if hasKey $filter "statuses" -}}{{- $filtered = list -}}{{- range $filter.statuses -}}{{- $filtered = append $filtered (lower (toString .)) -}}{{- end -}}{{- end -}}
{{- $kept := list -}}
{{- range . -}}
{{- $status := lower (toString .) -}}
{{- if not (or (has $status $filtered) (has (printf "%sxx" (substr 0 1 $status)) $filtered)) -}}{{- $kept = append $kept $status -}}{{- end -}}
{{- end -}}
{{- if not $kept -}}
{{- $problems = append $problems "config.filter.include.statuses keeps only what config.filter.statuses filters: no pair would be kept" -}}
{{- end -}}
{{- end -}}
{{- $namespaces := default dict (default dict .Values.config.targets).namespaces -}}
{{- range $namespaces.include -}}
{{- if has . (default list $namespaces.exclude) -}}
{{- $problems = append $problems (printf "config.targets.namespaces includes and excludes %s: the exclusion would win" .) -}}
{{- end -}}
{{- end -}}

{{- $tapFolder := include "interceptor.tapFolder" . -}}
{{- if has $tapFolder (list "/" "/etc/interceptor" "/host/proc") -}}
{{- $problems = append $problems (printf "config.tap.socket is in %s, over which its volume would be mounted: choose a folder of its own, such as /run/interceptor" $tapFolder) -}}
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
