# Node's fetch against Node's http: four kept-alive connections, sixty requests of seven kinds.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture c eth0 node-undici
on c node "$RECORD/clients/undici.mjs" http://10.77.0.1:8080 63 4
capture_end
expected node-undici
describe node-undici 'fetch over kept-alive connections, four at once: JSON and form posts, streamed uploads, chunked and encoded answers, HEAD, 204' "Node $(node -v)" 'undici (as Node has it)'
