/**
 * What speaks against taking a namespace into the mesh, and what it would change: pure functions
 * over Kubernetes objects, wherever those come from.
 */
@NullMarked
package dev.ambit.operator.preflight.model;

import org.jspecify.annotations.NullMarked;
