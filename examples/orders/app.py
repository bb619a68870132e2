"""The tasks of an order. Run with: python -m rhythm worker --url URL app"""

import rhythm


@rhythm.task
def reserve_stock(inputs: dict) -> str:
    return f"{inputs['qty']} x {inputs['sku']} reserved"


@rhythm.task
def charge(inputs: dict, ctx: rhythm.Context) -> dict:
    if ctx.attempt < 3:
        raise ConnectionError("the bank did not answer")
    return {"charged": inputs["amount"], "attempts": ctx.attempt}


@rhythm.task
def ship(inputs: dict) -> str:
    if inputs["sku"] == "piano":
        raise rhythm.NonRetryable("a piano does not fit into the van")
    return f"parcel-{inputs['order']}"


@rhythm.task
def refund(inputs: dict) -> None:
    print(f"refunded {inputs['amount']} for {inputs['order']}")


@rhythm.task
def release_stock(inputs: dict) -> None:
    print(f"released {inputs['qty']} x {inputs['sku']}")
