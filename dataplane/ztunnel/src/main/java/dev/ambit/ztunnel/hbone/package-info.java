/**
 * HBONE's HTTP/2: CONNECT streams over one TLS connection, frame by frame, made for bytes that pass
 * through and are never gathered.
 */
@NullMarked
package dev.ambit.ztunnel.hbone;

import org.jspecify.annotations.NullMarked;
