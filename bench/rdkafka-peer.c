/*
 * The messages of a file through librdkafka, twice, as ship-stage.ts sends them: same keys, headers of the same lengths, acks from the
 * leader, batches of the same size and age. Prints one JSON line with what the second time costs.
 *
 *     rdkafka-peer FILE BROKERS TOPIC BATCH_BYTES LINGER_MS CONNECTIONS
 *
 * FILE: for each message its length, u32 in the host's byte order, and its bytes.
 */
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define POLL_MS 5
#define FLUSH_MS 60000

static long delivered;
static long failed;

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client;
  (void)opaque;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) delivered += 1;
  else failed += 1;
}

static double cpu_ms(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

static double wall_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) == RD_KAFKA_CONF_OK) return;
  fprintf(stderr, "%s\n", error);
  exit(1);
}

static char *read_file(const char *path, long *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (*size = ftell(file)) < 0) {
    perror(path);
    exit(1);
  }
  rewind(file);
  char *bytes = malloc(*size);
  if (bytes == NULL || fread(bytes, 1, *size, file) != (size_t)*size) {
    perror(path);
    exit(1);
  }
  fclose(file);
  return bytes;
}

/* Produces every message and waits until all are acknowledged. Returns their number. */
static long pass(rd_kafka_t *client, const char *topic, const char *bytes, long size, unsigned connections) {
  long messages = 0;
  for (long at = 0; at < size; messages += 1) {
    uint32_t length;
    char key[9];
    memcpy(&length, bytes + at, sizeof length);
    snprintf(key, sizeof key, "%08x", (unsigned)(messages % connections));
    for (;;) {
      rd_kafka_resp_err_t error = rd_kafka_producev(
          client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, 8),
          RD_KAFKA_V_VALUE((void *)(bytes + at + sizeof length), length), RD_KAFKA_V_HEADER("ce_specversion", "1.0", 3),
          RD_KAFKA_V_HEADER("ce_type", "dev.interceptor.http.pair.v1", 28), RD_KAFKA_V_HEADER("ce_source", "/interceptor/bench", 18),
          RD_KAFKA_V_HEADER("content-type", "application/msgpack", 19), RD_KAFKA_V_HEADER("ce_id", "0123456789abcdef0123456789abcdef", 32),
          RD_KAFKA_V_HEADER("ce_time", "2026-11-23T12:58:07.123456Z", 27), RD_KAFKA_V_END);
      if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
      if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
        fprintf(stderr, "%s\n", rd_kafka_err2str(error));
        exit(1);
      }
      rd_kafka_poll(client, POLL_MS);
    }
    at += sizeof length + length;
  }
  rd_kafka_flush(client, FLUSH_MS);
  return messages;
}

int main(int count, char **words) {
  if (count != 7) {
    fprintf(stderr, "usage: rdkafka-peer FILE BROKERS TOPIC BATCH_BYTES LINGER_MS CONNECTIONS\n");
    return 2;
  }
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", words[2]);
  set(conf, "acks", "1");
  set(conf, "partitioner", "murmur2");
  set(conf, "batch.size", words[4]);
  set(conf, "batch.num.messages", "1000000");
  set(conf, "message.max.bytes", "8388608");
  set(conf, "linger.ms", words[5]);
  set(conf, "queue.buffering.max.kbytes", "65536");
  rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
  char error[256];
  rd_kafka_t *client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (client == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  long size;
  char *bytes = read_file(words[1], &size);
  unsigned connections = (unsigned)atoi(words[6]);
  double began = cpu_ms();
  long messages = pass(client, words[3], bytes, size, connections);
  double cpu = cpu_ms(), wall = wall_ms();
  double first = cpu - began;
  pass(client, words[3], bytes, size, connections);
  cpu = cpu_ms() - cpu;
  wall = wall_ms() - wall;
  if (failed > 0 || delivered != 2 * messages) {
    fprintf(stderr, "%ld of %ld messages were delivered\n", delivered, 2 * messages);
    return 1;
  }
  printf("{\"wallMs\":%.1f,\"shipCpuMs\":%.1f,\"startCpuMs\":%.1f,\"shipped\":%ld,\"shippedTwice\":%ld}\n", wall, cpu, first - cpu, messages,
         2 * messages);
  rd_kafka_destroy(client);
  return 0;
}
