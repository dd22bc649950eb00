{{- /*
Pools: `pools` makes a further DaemonSet and ConfigMap for each group of nodes that needs other values.
A context is the root with `Values` merged for the pool and `pool` its name.
*/ -}}

{{- /* Name of a context's DaemonSet and ConfigMap. */ -}}
{{- define "interceptor.poolName" -}}
{{- $name := include "interceptor.fullname" . -}}
{{- if .pool -}}
{{- printf "%s-%s" ($name | trunc (int (sub 62 (len .pool))) | trimSuffix "-") .pool -}}
{{- else -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{- /* Labels by which a context's DaemonSet selects its pods. */ -}}
{{- define "interceptor.poolSelectorLabels" -}}
{{ include "interceptor.selectorLabels" . }}
interceptor.dev/pool: {{ default "main" .pool }}
{{- end -}}

{{- /* Names of all DaemonSets, comma-separated. */ -}}
{{- define "interceptor.daemonSets" -}}
{{- $names := list (include "interceptor.fullname" .) -}}
{{- range $pool := keys .Values.pools | sortAlpha -}}
{{- $names = append $names (include "interceptor.poolName" (dict "Values" $.Values "Release" $.Release "Chart" $.Chart "pool" $pool)) -}}
{{- end -}}
{{- join "," $names -}}
{{- end -}}

{{- /*
`affinity`, with what keeps pools apart in every node selector term: a pool runs on the nodes that its label chooses, the main
DaemonSet on those that no pool chooses.
*/ -}}
{{- define "interceptor.affinity" -}}
{{- $affinity := deepCopy (default dict .Values.affinity) -}}
{{- $expressions := list -}}
{{- range $name, $pool := .Values.pools -}}
{{- if eq $name $.pool -}}
{{- $expressions = list (dict "key" $pool.nodeLabel.key "operator" "In" "values" $pool.nodeLabel.values) -}}
{{- else if not $.pool -}}
{{- $expressions = append $expressions (dict "key" $pool.nodeLabel.key "operator" "NotIn" "values" $pool.nodeLabel.values) -}}
{{- end -}}
{{- end -}}
{{- if $expressions -}}
{{- $node := default dict $affinity.nodeAffinity -}}
{{- $required := default dict $node.requiredDuringSchedulingIgnoredDuringExecution -}}
{{- $terms := list -}}
{{- range $term := default (list dict) $required.nodeSelectorTerms -}}
{{- $terms = append $terms (set (deepCopy $term) "matchExpressions" (concat (default list $term.matchExpressions) $expressions)) -}}
{{- end -}}
{{- $_ := set $required "nodeSelectorTerms" $terms -}}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" $required -}}
{{- $_ := set $affinity "nodeAffinity" $node -}}
{{- end -}}
{{- if $affinity -}}{{- toYaml $affinity -}}{{- end -}}
{{- end -}}
