//! Everything that can go wrong, gathered for the doors.
