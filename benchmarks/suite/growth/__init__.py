"""Growth to the volumes that matter: a store filled in doublings, and asked cold and warm at each of them."""
