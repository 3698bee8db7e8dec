/** How the ztunnel calls the control plane and the certificate authority: address, trust, token. */
@NullMarked
package dev.ambit.ztunnel.channel;

import org.jspecify.annotations.NullMarked;
