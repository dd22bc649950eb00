# wrk with a script (mixed methods, pipelined in threes) against Node: four connections, cut when wrk exits.
pair_up
serve s 8080 node "$RECORD/servers/node.mjs" 8080
capture s eth0 wrk
on c wrk -t1 -c4 -d1s -s "$RECORD/clients/mix.lua" http://10.77.0.1:8080 >/dev/null
capture_end
expected wrk
describe wrk 'wrk with four connections and three pipelined requests at a time to Node http; the last answers are cut by its end' 'wrk 4.1' "Node $(node -v)"
