/**
 * The data path: what happens to a pod's connections between the application's socket and the
 * tunnel.
 */
@NullMarked
package dev.ambit.ztunnel.proxy;

import org.jspecify.annotations.NullMarked;
