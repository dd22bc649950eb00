// Server and client for recording Go's net/http.
//
//	itg-go serve ADDRESS     appends each finished exchange to $TRUTH
//	itg-go client BASE       a round of requests over kept-alive connections
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

type body struct {
	Size   int    `json:"size"`
	Sha256 string `json:"sha256"`
}

type exchange struct {
	Method       string `json:"method"`
	Target       string `json:"target"`
	Status       int    `json:"status"`
	RequestBody  body   `json:"requestBody"`
	ResponseBody body   `json:"responseBody"`
}

func sum(data []byte) body {
	hash := sha256.Sum256(data)
	return body{len(data), hex.EncodeToString(hash[:])}
}

// recorder keeps a copy of what a handler sends.
type recorder struct {
	http.ResponseWriter
	status int
	sent   bytes.Buffer
}

func (r *recorder) WriteHeader(status int) {
	if status >= 200 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	r.sent.Write(data)
	return r.ResponseWriter.Write(data)
}

func (r *recorder) flush() { r.ResponseWriter.(http.Flusher).Flush() }

var mutex sync.Mutex

func note(entry exchange) {
	line, _ := json.Marshal(entry)
	mutex.Lock()
	defer mutex.Unlock()
	file, err := os.OpenFile(os.Getenv("TRUTH"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(file, "%s\n", line)
	file.Close()
}

func handle(w *recorder, r *http.Request, received []byte) {
	switch r.URL.Path {
	case "/stream":
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < 4; i++ {
			fmt.Fprintf(w, "{\"row\":%d,\"target\":%q}\n", i, r.RequestURI)
			w.flush()
			time.Sleep(time.Millisecond)
		}
	case "/trailers":
		w.Header().Set("Trailer", "X-Rows")
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, "{\"up\":%q}", r.Trailer.Get("X-Sum"))
		w.flush()
		w.Header().Set("X-Rows", "1")
	case "/hints":
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusOK)
		fmt.Fprintf(w, "hinted %s", r.RequestURI)
	case "/empty":
		w.WriteHeader(http.StatusNoContent)
	case "/close-delimited":
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, strings.Repeat("until the end\n", 300))
		w.flush()
		fmt.Fprint(w, "the end")
	case "/moved":
		http.Redirect(w, r, "/echo?n=moved", http.StatusPermanentRedirect)
	default:
		w.Header().Set("Content-Type", "application/json")
		answer, _ := json.Marshal(map[string]any{"target": r.RequestURI, "received": sum(received).Sha256, "head": len(r.Header.Get("X-Large"))})
		w.Write(answer)
	}
}

func serve(address string) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		recorded := &recorder{ResponseWriter: w, status: 200}
		handle(recorded, r, received)
		sent := recorded.sent.Bytes()
		if r.Method == http.MethodHead {
			sent = nil
		}
		note(exchange{r.Method, r.RequestURI, recorded.status, sum(received), sum(sent)})
	})
	server := &http.Server{Addr: address, Handler: handler, MaxHeaderBytes: 1 << 20, DisableGeneralOptionsHandler: true}
	panic(server.ListenAndServe())
}

func send(method, url string, payload io.Reader, header http.Header, trailer http.Header) {
	request, err := http.NewRequest(method, url, payload)
	if err != nil {
		panic(err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Trailer = trailer
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func client(base string) {
	jsonType := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < 8; i++ {
		send("POST", fmt.Sprintf("%s/echo?n=go%d", base, i), strings.NewReader(fmt.Sprintf(`{"n":%d}`, i)), jsonType, nil)
		send("GET", fmt.Sprintf("%s/stream?n=go%d", base, i), nil, nil, nil)
	}
	send("POST", base+"/trailers", io.MultiReader(strings.NewReader("of unknown "), strings.NewReader("length")), nil, http.Header{"X-Sum": {"17"}})
	send("HEAD", base+"/echo?n=head", nil, nil, nil)
	send("GET", base+"/hints?n=1", nil, nil, nil)
	send("DELETE", base+"/empty", nil, nil, nil)
	send("GET", base+"/moved", nil, nil, nil)
	send("POST", base+"/echo?n=continue", strings.NewReader(strings.Repeat("large ", 20000)), http.Header{"Expect": {"100-continue"}}, nil)
	send("GET", base+"/echo?n=large-head", nil, http.Header{"X-Large": {strings.Repeat("h", 64000)}}, nil)
	var parallel sync.WaitGroup
	for i := 0; i < 6; i++ {
		parallel.Add(1)
		go func() {
			defer parallel.Done()
			send("PUT", fmt.Sprintf("%s/echo?n=parallel%d", base, i), strings.NewReader("parallel"), nil, nil)
		}()
	}
	parallel.Wait()
}

func main() {
	if os.Args[1] == "serve" {
		serve(os.Args[2])
	}
	client(os.Args[2])
}
