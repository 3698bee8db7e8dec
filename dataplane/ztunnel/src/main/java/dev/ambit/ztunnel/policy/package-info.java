/** L4 authorization: which connections a workload accepts. */
@NullMarked
package dev.ambit.ztunnel.policy;

import org.jspecify.annotations.NullMarked;
