//! Tests of resolution over random histories, with a store in memory.
