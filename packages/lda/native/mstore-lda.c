/*
 * mstore-lda: hands its arguments and its standard input to the daemon that listens on DIR/run/lda.sock, repeats the line it
 * gets for an answer on standard error, and exits with the answer's code. Of the options it understands only where DIR
 * is; all else is the daemon's (docs/protocols/lda-socket.md). Where no daemon listens, the TypeScript program beside
 * this file does the same job alone, as our child, and its exit code is ours.
 *
 * A mail server bounces a message on any exit code it has no meaning for, so none but 0, 65, 67, 77 and 75 leaves here. 75 (keep
 * it, try again) stands for every failure, time-out and signal. Nobody takes an unfinished message for a whole one: the
 * daemon waits for the end marker, and the child dies when we do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Milliseconds in which something must move: longer than the daemon's own patience, so that its answer comes first. */
#ifndef PATIENCE_MS
#define PATIENCE_MS 300000
#endif

enum { try_again = 75, head_bytes = 5, argument_bytes_max = 1 << 20, piece_bytes = 1 << 16, answer_bytes_max = 1024 };

static const char greeting[] = "mstore-lda 1\n";

/* Octets on their way to the daemon. */
static struct {
  unsigned char *octets;
  size_t at, end;
} outgoing;

/* The daemon's answer, as far as it has come. */
static char answer[answer_bytes_max + 1];
static size_t answer_bytes;
static int message_ended;

/* One line on standard error, and exit: the message stays with the mail server. */
static _Noreturn void give_up(const char *what, const char *why) {
  dprintf(STDERR_FILENO, "mstore-lda: %s%s%s\n", what, *why == '\0' ? "" : ": ", why);
  _exit(try_again);
}

static int known_code(int code) {
  return code == 0 || code == 65 || code == 67 || code == 77 ? code : try_again;
}

static void on_signal(int number) {
  static const char line[] = "mstore-lda: ended by a signal\n";
  (void)number;
  if (write(STDERR_FILENO, line, sizeof line - 1) < 0) _exit(try_again);
  _exit(try_again);
}

/* Every signal that would end us ends us with 75, but for those that cannot be caught. */
static void catch_signals(void) {
  struct sigaction action = {.sa_handler = on_signal};
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number <= SIGRTMAX; number++) {
    switch (number) {
      case SIGCHLD: case SIGCONT: case SIGTSTP: case SIGTTIN: case SIGTTOU: case SIGURG: case SIGWINCH:
        break;
      default:
        (void)sigaction(number, &action, NULL);
    }
  }
  signal(SIGPIPE, SIG_IGN);
  /* A parent that ignores its children must not take the exit code of ours away. */
  signal(SIGCHLD, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A closed standard input is no empty message. Closed outputs are filled, so that no socket of ours gets their number. */
static void check_streams(void) {
  struct stat input, null;
  if (fstat(STDIN_FILENO, &input) < 0) give_up("standard input is closed", "");
  if (stat("/dev/null", &null) == 0 && S_ISCHR(input.st_mode) && input.st_rdev == null.st_rdev)
    give_up("standard input is /dev/null: there is no message", "");
  int filler;
  do filler = open("/dev/null", O_RDWR);
  while (filler >= 0 && filler <= STDERR_FILENO);
  if (filler >= 0) close(filler);
}

/* DIR of --data DIR, --data=DIR or MSTORE_DATA, found as lda-options.ts finds it; NULL when it is not given. */
static const char *data_directory(int argc, char **argv) {
  const char *directory = getenv("MSTORE_DATA");
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
    const char *word = argv[i];
    if (strncmp(word, "--data=", 7) == 0) directory = word + 7;
    else if (strcmp(word, "--data") == 0 && i + 1 < argc) directory = argv[++i];
    else if (strlen(word) == 2 && word[0] == '-' && strchr("fdam", word[1]) != NULL) i++;
  }
  return directory != NULL && *directory != '\0' ? directory : NULL;
}

/* The daemon's socket, or -1 when nobody listens there. */
static int connect_daemon(const char *directory) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/run/lda.sock", directory);
  if (length < 0 || (size_t)length >= sizeof address.sun_path) give_up("the path of the socket is too long", directory);
  int daemon = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (daemon < 0) give_up("no socket", strerror(errno));
  struct timeval patience = {.tv_sec = PATIENCE_MS / 1000, .tv_usec = PATIENCE_MS % 1000 * 1000};
  (void)setsockopt(daemon, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(daemon, (struct sockaddr *)&address, sizeof address) < 0) {
    if (errno != ENOENT && errno != ECONNREFUSED) give_up(address.sun_path, strerror(errno));
    close(daemon);
    return -1;
  }
  if (fcntl(daemon, F_SETFL, O_NONBLOCK) < 0) give_up("no socket", strerror(errno));
  return daemon;
}

static void put_head(unsigned char *at, char type, size_t length) {
  at[0] = (unsigned char)type;
  for (int i = 0; i < 4; i++) at[1 + i] = (unsigned char)(length >> (24 - 8 * i));
}

/* Greeting and arguments, each with its NUL, are the first to go; afterwards the same memory carries the message. */
static void begin(int argc, char **argv) {
  size_t length = 0;
  for (int i = 1; i < argc; i++) length += strlen(argv[i]) + 1;
  if (length > argument_bytes_max) give_up("the arguments are too long", "");
  size_t head = sizeof greeting - 1 + head_bytes;
  size_t room = head + length;
  outgoing.octets = malloc(room > head_bytes + piece_bytes ? room : head_bytes + piece_bytes);
  if (outgoing.octets == NULL) give_up("no memory", "");
  memcpy(outgoing.octets, greeting, sizeof greeting - 1);
  put_head(outgoing.octets + sizeof greeting - 1, 'A', length);
  outgoing.end = head;
  for (int i = 1; i < argc; i++) {
    size_t bytes = strlen(argv[i]) + 1;
    memcpy(outgoing.octets + outgoing.end, argv[i], bytes);
    outgoing.end += bytes;
  }
}

/* Makes a frame of what standard input has; false when that was the end marker. */
static int read_message(void) {
  ssize_t got = read(STDIN_FILENO, outgoing.octets + head_bytes, piece_bytes);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return 1;
    give_up("standard input cannot be read", strerror(errno));
  }
  put_head(outgoing.octets, got > 0 ? 'D' : 'E', (size_t)got);
  outgoing.at = 0;
  outgoing.end = head_bytes + (size_t)got;
  message_ended = got == 0;
  return got > 0;
}

/* False when the daemon takes no more: it has answered, or is gone, and reading will tell. */
static int send_some(int daemon) {
  ssize_t sent = write(daemon, outgoing.octets + outgoing.at, outgoing.end - outgoing.at);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  outgoing.at += (size_t)sent;
  return 1;
}

/* Ends the process once the answer, a code, a blank and a line of text, is whole. */
static void receive_some(int daemon) {
  ssize_t got = read(daemon, answer + answer_bytes, answer_bytes_max - answer_bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) give_up("the daemon went away and did not say what became of the message", "");
  answer_bytes += (size_t)got;
  answer[answer_bytes] = '\0';
  char *end = strchr(answer, '\n');
  if (end == NULL && answer_bytes < answer_bytes_max) return;
  char *text;
  long code = strtol(answer, &text, 10);
  int is_sound = end != NULL && text != answer && *text == ' ' && code >= 0 && code <= 255;
  if (!is_sound || (code == 0 && !message_ended)) give_up("the daemon's answer makes no sense", "");
  *end = '\0';
  if (code != 0) dprintf(STDERR_FILENO, "mstore-lda:%s\n", text);
  _exit(known_code((int)code));
}

static _Noreturn void deliver(int daemon) {
  int reads = 1, sends = 1;
  for (;;) {
    int full = outgoing.at < outgoing.end;
    struct pollfd ends[2] = {
      {.fd = daemon, .events = (short)(POLLIN | (sends && full ? POLLOUT : 0))},
      {.fd = reads && sends && !full ? STDIN_FILENO : -1, .events = POLLIN},
    };
    int ready = poll(ends, 2, PATIENCE_MS);
    if (ready == 0) give_up("nothing moved for too long", "");
    if (ready < 0 && errno != EINTR) give_up("poll", strerror(errno));
    if (ready < 0) continue;
    if ((ends[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) receive_some(daemon);
    if ((ends[0].revents & POLLOUT) != 0) sends = send_some(daemon);
    if (ends[1].revents != 0) reads = read_message();
  }
}

static _Noreturn void become_program(pid_t parent, char **argv) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent) _exit(try_again);
#ifdef NODE
  execv(NODE, argv);
#endif
  execvp(argv[0], argv);
  give_up("no daemon answers, and Node.js cannot be started", strerror(errno));
}

/* No daemon: the TypeScript program lies beside this one, wherever a link led here from. */
static _Noreturn void run_alone(int argc, char **argv) {
  static char program[PATH_MAX + sizeof "main.js"];
  ssize_t length = readlink("/proc/self/exe", program, PATH_MAX);
  if (length <= 0 || length == PATH_MAX) give_up("/proc/self/exe", "cannot be read");
  program[length] = '\0';
  strcpy(strrchr(program, '/') + 1, "main.js");
  if (access(program, R_OK) < 0) give_up(program, strerror(errno));
  char **words = calloc((size_t)argc + 2, sizeof *words);
  if (words == NULL) give_up("no memory", "");
  words[0] = "node";
  words[1] = program;
  for (int i = 1; i < argc; i++) words[i + 1] = argv[i];
  pid_t self = getpid(), child = fork();
  if (child < 0) give_up("fork", strerror(errno));
  if (child == 0) become_program(self, words);
  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) give_up("waitpid", strerror(errno));
  if (!WIFEXITED(status)) give_up("the program was ended by a signal", "");
  _exit(known_code(WEXITSTATUS(status)));
}

int main(int argc, char **argv) {
  catch_signals();
  check_streams();
  const char *directory = data_directory(argc, argv);
  int daemon = directory == NULL ? -1 : connect_daemon(directory);
  if (daemon < 0) run_alone(argc, argv);
  begin(argc, argv);
  deliver(daemon);
}
