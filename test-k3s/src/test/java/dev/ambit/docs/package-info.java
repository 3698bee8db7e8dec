/** What the documentation has to say is found in it. */
@NullMarked
package dev.ambit.docs;

import org.jspecify.annotations.NullMarked;
