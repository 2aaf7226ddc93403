//! Table tests of the rules, and their properties.
