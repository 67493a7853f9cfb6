"""Parts that encoders, decoders and heads share; the only folder below the slots that imports torch."""
