#ifndef AMBIT_SAMPLE_NETWORK_H
#define AMBIT_SAMPLE_NETWORK_H

/* Prints what a mesh has put into this network namespace. Returns an exit status. */
int network(void);

#endif
