// The shop's orders (Go): creates, changes and deletes orders, and has them paid by the payments service.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"
)

type order struct {
	ID      int            `json:"id"`
	State   string         `json:"state"`
	Items   []any          `json:"items,omitempty"`
	Address map[string]any `json:"address,omitempty"`
	Payment string         `json:"payment,omitempty"`
}

var (
	mutex    sync.Mutex
	orders   = map[string]*order{}
	next     = 1001
	payments = os.Args[1]
)

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value)
}

func pay(id int) string {
	charge, _ := json.Marshal(map[string]int{"order": id, "amount": 2970})
	response, err := http.Post(payments+"/payments", "application/json", bytes.NewReader(charge))
	if err != nil {
		return "failed"
	}
	defer response.Body.Close()
	var paid struct{ Payment string }
	json.NewDecoder(response.Body).Decode(&paid)
	return paid.Payment
}

func main() {
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })
	http.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "orders_total 1") })
	http.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		made := &order{ID: next, State: "new"}
		next++
		json.NewDecoder(r.Body).Decode(made)
		made.Payment = pay(made.ID)
		orders[fmt.Sprint(made.ID)] = made
		answer(w, http.StatusCreated, made)
	})
	http.HandleFunc("GET /orders/{id}/events", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, event := range []string{"created", "paid", "packed"} {
			fmt.Fprintf(w, "{\"event\":%q}\n", event)
			w.(http.Flusher).Flush()
			time.Sleep(15 * time.Millisecond)
		}
	})
	http.HandleFunc("/orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		mutex.Lock()
		defer mutex.Unlock()
		found, ok := orders[r.PathValue("id")]
		switch {
		case !ok:
			answer(w, http.StatusNotFound, map[string]string{"error": "no such order"})
		case r.Method == http.MethodDelete:
			delete(orders, r.PathValue("id"))
			w.WriteHeader(http.StatusNoContent)
		default:
			body, _ := io.ReadAll(r.Body)
			json.Unmarshal(body, found)
			answer(w, http.StatusOK, found)
		}
	})
	panic(http.ListenAndServe(":8080", nil))
}
