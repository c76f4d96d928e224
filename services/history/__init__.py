"""Looking back and looking ahead, pure: a contract's log folded, proven, replayed under other rules, and packed."""
