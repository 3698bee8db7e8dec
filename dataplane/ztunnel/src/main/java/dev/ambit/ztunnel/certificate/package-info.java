/** Keys and certificates of the identities that run on this node. */
@NullMarked
package dev.ambit.ztunnel.certificate;

import org.jspecify.annotations.NullMarked;
