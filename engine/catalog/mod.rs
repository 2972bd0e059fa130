//! Files → checked model.
