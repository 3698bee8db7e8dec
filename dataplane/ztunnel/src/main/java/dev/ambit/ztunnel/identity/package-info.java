/** Who a workload is: SPIFFE identities. */
@NullMarked
package dev.ambit.ztunnel.identity;

import org.jspecify.annotations.NullMarked;
