/*
 * ambit-cni: a chained CNI plugin. Before a pod's first container starts it asks the node agent to
 * capture the pod. While the agent is away it lets pods start, except in the namespaces that the
 * agent has listed as enrolled: those wait, so that no packet leaves them in the clear.
 *
 * Static and without dependencies, since it runs on whatever system the node has.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define AGENT_SOCKET "/var/run/ambit/cni.sock"
#define ENROLLED_NAMESPACES "/var/lib/ambit/cni-namespaces"

enum {
  MAX_TEXT = 1 << 20,
  READ_INPUT_MS = 10 * 1000,
  ASK_AGENT_MS = 45 * 1000,
  MAX_DEPTH = 512,
};

/* Error codes of the CNI specification. */
enum {
  INVALID_ENVIRONMENT = 4,
  IO_FAILURE = 5,
  INVALID_CONFIGURATION = 7,
  TRY_AGAIN_LATER = 11,
};

struct text {
  const char *bytes;
  size_t length;
};

static struct text configuration;

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until the descriptor is ready or the time has come. */
static bool ready(int fd, short events, int64_t deadline) {
  for (;;) {
    int64_t left = deadline - now_ms();
    struct pollfd waited = {.fd = fd, .events = events};
    if (left <= 0) return false;
    int count = poll(&waited, 1, (int)left);
    if (count > 0) return true;
    if (count == 0 || errno != EINTR) return false;
  }
}

static bool read_bytes(int fd, char *into, size_t length, int64_t deadline) {
  while (length > 0) {
    if (!ready(fd, POLLIN, deadline)) return false;
    ssize_t count = read(fd, into, length);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count <= 0) return false;
    into += count;
    length -= (size_t)count;
  }
  return true;
}

static bool write_bytes(int fd, const char *from, size_t length, int64_t deadline) {
  while (length > 0) {
    if (!ready(fd, POLLOUT, deadline)) return false;
    ssize_t count = send(fd, from, length, MSG_NOSIGNAL);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0) return false;
    from += count;
    length -= (size_t)count;
  }
  return true;
}

/* Reads to the end of the input; false if it is too long or does not end in time. */
static bool read_all(int fd, struct text *into, int64_t deadline) {
  char *buffer = malloc(MAX_TEXT + 1);
  size_t length = 0;
  if (buffer == NULL) return false;
  for (;;) {
    if (length > MAX_TEXT || !ready(fd, POLLIN | POLLHUP, deadline)) break;
    ssize_t count = read(fd, buffer + length, MAX_TEXT + 1 - length);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    if (count == 0) {
      into->bytes = buffer;
      into->length = length;
      return true;
    }
    length += (size_t)count;
  }
  free(buffer);
  return false;
}

/* As much of JSON as it takes to find a member of the outermost object. */

static size_t skip_space(struct text json, size_t at) {
  while (at < json.length && memchr(" \t\r\n", json.bytes[at], 4) != NULL) at++;
  return at;
}

/* The position after the string that begins at `at`, or 0. */
static size_t skip_string(struct text json, size_t at) {
  if (at >= json.length || json.bytes[at] != '"') return 0;
  for (at++; at < json.length; at++) {
    if (json.bytes[at] == '\\') {
      at++;
    } else if (json.bytes[at] == '"') {
      return at + 1;
    }
  }
  return 0;
}

/* The position after the value that begins at `at`, or 0. Brackets are matched, the rest is not judged. */
static size_t skip_value(struct text json, size_t at) {
  char closing[MAX_DEPTH];
  size_t depth = 0;
  size_t start = at;
  while (at < json.length) {
    char c = json.bytes[at];
    if (c == '"') {
      at = skip_string(json, at);
      if (at == 0) return 0;
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') {
      if (depth == MAX_DEPTH) return 0;
      closing[depth++] = c == '{' ? '}' : ']';
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at > start ? at : 0;
      if (closing[--depth] != c) return 0;
      if (depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || memchr(" \t\r\n", c, 4) != NULL)) {
      return at > start ? at : 0;
    }
    at++;
  }
  return 0;
}

/* The raw text of a member of the outermost object. */
static bool find_member(struct text json, const char *name, struct text *value) {
  size_t at = skip_space(json, 0);
  if (at >= json.length || json.bytes[at] != '{') return false;
  at = skip_space(json, at + 1);
  while (at < json.length && json.bytes[at] == '"') {
    size_t key = at + 1;
    at = skip_string(json, at);
    if (at == 0) return false;
    size_t key_length = at - 1 - key;
    at = skip_space(json, at);
    if (at >= json.length || json.bytes[at] != ':') return false;
    size_t start = skip_space(json, at + 1);
    at = skip_value(json, start);
    if (at == 0) return false;
    if (key_length == strlen(name) && memcmp(json.bytes + key, name, key_length) == 0) {
      value->bytes = json.bytes + start;
      value->length = at - start;
      return true;
    }
    at = skip_space(json, at);
    if (at >= json.length || json.bytes[at] != ',') return false;
    at = skip_space(json, at + 1);
  }
  return false;
}

/* The configuration's version, or one that every runtime of today knows. */
static const char *version(void) {
  static char found[16];
  struct text value;
  if (find_member(configuration, "cniVersion", &value) && value.length > 2 &&
      value.length - 2 < sizeof found) {
    memcpy(found, value.bytes + 1, value.length - 2);
    found[value.length - 2] = 0;
    if (found[strspn(found, "0123456789.")] == 0) return found;
  }
  return "1.0.0";
}

/* Prints bytes as the inside of a JSON string. */
static void print_escaped(const char *text) {
  for (; *text != 0; text++) {
    unsigned char c = (unsigned char)*text;
    if (c == '"' || c == '\\') {
      printf("\\%c", c);
    } else if (c < 0x20 || c >= 0x7f) {
      printf("\\u%04x", c);
    } else {
      putchar(c);
    }
  }
}

__attribute__((format(printf, 2, 3))) static int fail(int code, const char *format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  printf("{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":\"", version(), code);
  print_escaped(message);
  printf("\"}\n");
  return EXIT_FAILURE;
}

static const char *variable(const char *name) {
  const char *value = getenv(name);
  return value == NULL ? "" : value;
}

static bool append(char *frame, size_t *length, const char *bytes, size_t count) {
  if (count > MAX_TEXT) return false;
  frame[(*length)++] = (char)(count >> 24);
  frame[(*length)++] = (char)(count >> 16);
  frame[(*length)++] = (char)(count >> 8);
  frame[(*length)++] = (char)count;
  memcpy(frame + *length, bytes, count);
  *length += count;
  return true;
}

static int connect_agent(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  /* A full backlog would block for ever otherwise. */
  struct timeval limit = {.tv_sec = 5};
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Asks the agent and prints its answer. False if there was none that can be understood. */
static bool ask_agent(const char *socket_path, int *status) {
  const char *names[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS"};
  size_t size = 6 * 4 + configuration.length;
  for (size_t i = 0; i < 5; i++) size += strlen(variable(names[i]));
  char *frame = malloc(size);
  if (frame == NULL) return false;
  size_t length = 0;
  bool fits = true;
  for (size_t i = 0; i < 5 && fits; i++) {
    fits = append(frame, &length, variable(names[i]), strlen(variable(names[i])));
  }
  fits = fits && append(frame, &length, configuration.bytes, configuration.length);
  int64_t deadline = now_ms() + ASK_AGENT_MS;
  int fd = fits ? connect_agent(socket_path) : -1;
  unsigned char head[5];
  char *answer = NULL;
  size_t answer_length = 0;
  bool answered = false;
  if (fd >= 0 && write_bytes(fd, frame, length, deadline) &&
      read_bytes(fd, (char *)head, sizeof head, deadline)) {
    uint32_t total = (uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3];
    if (total > 1 && total <= MAX_TEXT && head[4] <= 1) {
      answer_length = total - 1;
      answer = malloc(answer_length);
      answered = answer != NULL && read_bytes(fd, answer, answer_length, deadline) && answer[0] == '{';
    }
  }
  if (answered) {
    fwrite(answer, 1, answer_length, stdout);
    putchar('\n');
    *status = head[4] == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  free(answer);
  free(frame);
  if (fd >= 0) close(fd);
  return answered;
}

/* A value of CNI_ARGS, such as "A=1;B=2". */
static bool argument(const char *name, char *into, size_t size) {
  const char *at = variable("CNI_ARGS");
  size_t name_length = strlen(name);
  while (*at != 0) {
    size_t length = strcspn(at, ";");
    if (length > name_length && strncmp(at, name, name_length) == 0 && at[name_length] == '=') {
      size_t value_length = length - name_length - 1;
      if (value_length == 0 || value_length >= size) return false;
      memcpy(into, at + name_length + 1, value_length);
      into[value_length] = 0;
      return true;
    }
    at += length;
    if (*at == ';') at++;
  }
  return false;
}

enum enrolled { NOT_ENROLLED, ENROLLED, UNKNOWN };

static enum enrolled is_enrolled(const char *file, const char *namespace) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? NOT_ENROLLED : UNKNOWN;
  struct text list;
  bool complete = read_all(fd, &list, now_ms() + READ_INPUT_MS);
  close(fd);
  if (!complete) return UNKNOWN;
  size_t length = strlen(namespace);
  enum enrolled found = NOT_ENROLLED;
  for (size_t at = 0; at < list.length;) {
    const char *end = memchr(list.bytes + at, '\n', list.length - at);
    size_t line = end == NULL ? list.length - at : (size_t)(end - (list.bytes + at));
    if (line == length && memcmp(list.bytes + at, namespace, length) == 0) found = ENROLLED;
    at += line + 1;
  }
  free((char *)list.bytes);
  return found;
}

static int pass_previous_result(void) {
  struct text result;
  if (!find_member(configuration, "prevResult", &result) || result.bytes[0] != '{') {
    return fail(INVALID_CONFIGURATION, "ambit-cni works after other plugins, but there is no prevResult");
  }
  fwrite(result.bytes, 1, result.length, stdout);
  putchar('\n');
  return EXIT_SUCCESS;
}

static int without_agent(const char *file) {
  char namespace[256];
  if (!argument("K8S_POD_NAMESPACE", namespace, sizeof namespace)) return pass_previous_result();
  switch (is_enrolled(file, namespace)) {
    case NOT_ENROLLED:
      return pass_previous_result();
    case ENROLLED:
      return fail(TRY_AGAIN_LATER,
                  "namespace %s is in the mesh, but the node agent does not answer, so the pod's traffic "
                  "would leave in the clear; see the pods of DaemonSet ambit-agent on this node",
                  namespace);
    case UNKNOWN:
      break;
  }
  return fail(TRY_AGAIN_LATER,
              "the node agent does not answer and %s cannot be read, so it is not known whether namespace "
              "%s is in the mesh",
              file, namespace);
}

static int add(void) {
  /* Tests run the plugin away from the places where a node has these. */
  const char *socket_path = variable("AMBIT_CNI_SOCKET");
  const char *file = variable("AMBIT_CNI_NAMESPACES");
  int status;
  if (!read_all(STDIN_FILENO, &configuration, now_ms() + READ_INPUT_MS)) {
    return fail(IO_FAILURE, "ambit-cni cannot read its configuration");
  }
  if (ask_agent(*socket_path == 0 ? AGENT_SOCKET : socket_path, &status)) return status;
  return without_agent(*file == 0 ? ENROLLED_NAMESPACES : file);
}

int main(void) {
  const char *command = variable("CNI_COMMAND");
  int status;
  if (strcmp(command, "ADD") == 0) {
    status = add();
  } else if (strcmp(command, "VERSION") == 0) {
    puts("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}");
    status = EXIT_SUCCESS;
  } else if (strcmp(command, "DEL") == 0 || strcmp(command, "CHECK") == 0 || strcmp(command, "GC") == 0 ||
             strcmp(command, "STATUS") == 0) {
    /* What was in the pod goes with its network namespace, and the agent looks after the rest. */
    status = EXIT_SUCCESS;
  } else {
    status = fail(INVALID_ENVIRONMENT, "ambit-cni does not know CNI_COMMAND '%.64s'", command);
  }
  return fflush(stdout) == 0 && !ferror(stdout) ? status : EXIT_FAILURE;
}
