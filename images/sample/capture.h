#ifndef AMBIT_SAMPLE_CAPTURE_H
#define AMBIT_SAMPLE_CAPTURE_H

/*
 * Prints the TCP segments seen on an interface, or on all for "any", until the process is ended. With ports, only
 * segments from or to one of them. Returns an exit status where it cannot.
 */
int capture(const char *interface, int count, const int *ports);

#endif
