"""Bank files: remessas that tell banks of boletos, retornos that tell us what became of them."""
