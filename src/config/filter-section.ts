/** The section `filter` of the configuration: which pairs are kept. */
import { duration, list, section } from './key-kinds.ts'
import {
  HEADER_NAME_ITEM,
  HOST_ITEM,
  MEDIA_TYPE_ITEM,
  METHOD_ITEM,
  NAMESPACE_ITEM,
  PATH_ITEM,
  POD_ITEM,
  STATUS_ITEM,
  USER_AGENT_PREFIX_ITEM,
  WORKLOAD_ITEM,
} from './list-items.ts'

export const filter = section(
  'Which pairs are kept. `--all` disables these rules for a run; an empty list disables one of them.',
  {
    contentTypes: list(
      ['application/json', 'application/x-www-form-urlencoded'],
      'A pair is kept if its request or its response has one of these media types. Parameters and case are ignored; `*` and `?` are wildcards (`application/*+json`). Empty: pairs of any type, or of none, are kept.',
      MEDIA_TYPE_ITEM,
    ),
    userAgentPrefixes: list(
      ['kube-probe'],
      'Requests whose User-Agent begins with one of these are filtered. Case matters; there are no wildcards.',
      USER_AGENT_PREFIX_ITEM,
    ),
    requestHeaders: list(['X-Soveren-Request'], 'Requests with one of these headers are filtered.', HEADER_NAME_ITEM),
    statuses: list(
      ['301', '308', '4xx', '5xx'],
      'Pairs whose response has one of these statuses or classes of statuses are filtered.',
      STATUS_ITEM,
    ),
    paths: list(
      ['/metrics', '/healthz', '/api/health', '/api/v2/alive', '/api/v2/detect'],
      'Requests for one of these paths are filtered. Query, fragment and a trailing slash are ignored. `*` matches any text without a slash, `?` one character, `**` any text: `/actuator/**` matches `/actuator` and everything below it.',
      PATH_ITEM,
    ),
    include: section(
      'A pair is kept only if it matches each of these that is set, in addition to passing the rules above. `--all` does not disable them.',
      {
        methods: list([], 'Methods of requests, such as `POST`.', METHOD_ITEM),
        hosts: list(
          [],
          'Host header fields of requests, without the port. `*` and `?` are wildcards (`*.shop.svc.cluster.local`); case does not matter.',
          HOST_ITEM,
        ),
        paths: list(
          [],
          'Paths of requests, as in `filter.paths`: `/api/**` matches `/api` and everything below it.',
          PATH_ITEM,
        ),
        statuses: list(
          [],
          'Statuses of responses or classes of them (`404`, `5xx`). `filter.statuses` still applies: clear it to keep errors.',
          STATUS_ITEM,
        ),
        namespaces: list(
          [],
          'Namespaces, as names or globs: one end of the connection is a pod in one of them.',
          NAMESPACE_ITEM,
        ),
        workloads: list(
          [],
          'Workloads of the pod at one end, as names or globs, with or without the kind: `api`, `Deployment/api-*`.',
          WORKLOAD_ITEM,
        ),
        pods: list([], 'Pods at one end, as names or globs: `api-*`.', POD_ITEM),
        minLatency: duration(
          '0s',
          'The least time from the first byte of the request to the last of the response. 0: any.',
        ),
      },
    ),
  },
)
