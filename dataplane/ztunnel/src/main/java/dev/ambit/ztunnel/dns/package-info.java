/**
 * The DNS proxy inside each pod: answers for the mesh's services, and hands everything else on to
 * the server that the pod itself had asked.
 */
@NullMarked
package dev.ambit.ztunnel.dns;

import org.jspecify.annotations.NullMarked;
