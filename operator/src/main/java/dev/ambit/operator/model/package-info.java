/**
 * Pure translation of Kubernetes objects to the workload API: no clients, no clocks, no threads.
 */
@NullMarked
package dev.ambit.operator.model;

import org.jspecify.annotations.NullMarked;
