//! From one group to the recipients it stands for today.
